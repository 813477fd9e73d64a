"""What is personal in a model, for those who record it.

Rules of this file:

1. What did not come by a node is recorded without its personal values: a database has
   no key to seal them with, and in clear they could never be erased.
2. Whose a value is must be told with it: so the fields that lead to a person are
   recorded of each change, whether they changed or not.
"""

from __future__ import annotations

from typing import Any, Final

from ...models import Model

__all__ = ["SEALED", "WITHHELD_JSON", "anchors_of", "is_withheld", "seals"]

SEALED: Final = "~"
"""Name of the column of a record in which personal values stand sealed."""

WITHHELD_JSON: Final = '{"~":0}'
"""Stands for a value that was left out; no field has a plain value of this form."""

_RECORDED: Final = frozenset({"changes", "full"})
"""Levels of audit that record values."""


def seals(model: Model) -> bool:
    """Whether records of *model* hold personal values, which are not kept in clear."""
    return model.audit in _RECORDED and bool(model.personal)


def anchors_of(model: Model) -> frozenset[str]:
    """Return the fields that tell whose a row is: its key, and what it refers to.

    They hang on the model alone, not on what others are declared.
    """
    if not seals(model):
        return frozenset()
    referring = (name for each in model.foreign_keys for name in each.fields)
    return frozenset((*model.identity, *referring))


def is_withheld(value: Any) -> bool:  # noqa: ANN401  # whatever JSON holds
    """Whether a value of JSON stands for one that was left out."""
    return isinstance(value, dict) and value == {SEALED: 0}
