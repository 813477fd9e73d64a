"""Keeping personal values out of the logs of an application.

This package logs no values. What an application logs by itself, rows and parameters say,
is redacted here by the names of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from threading import Lock
from typing import Any, Final, cast

from ..models import Model

__all__ = ["note_personal", "redact"]

_DEEPEST: Final = 32
"""Levels that are looked into; what is deeper is left out."""

_lock: Final = Lock()
_categories: Final[dict[str, str]] = {}


def note_personal(model: Model) -> None:
    """Let `redact` know which fields of *model* are personal, from here on."""
    with _lock:
        for each in model.personal:
            if each.marks.pii is not None:
                _categories[each.name] = each.marks.pii


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace personal values in an event, as a processor of structlog.

    A value goes by its name: below a name that some model of this process has for a
    personal field, there is ``[email]`` instead, whatever it was, in rows, parameters
    and filters too. A value within a text cannot be told from other words.

    Put it before what renders: ``structlog.configure(processors=[redact, ...])``.
    """
    del logger, method
    for name, value in event.items():
        event[name] = _shown(name, value, 0)
    return event


def _shown(name: object, value: Any, depth: int) -> Any:  # noqa: ANN401  # whatever is logged
    # ``mail``, and in conditions ``new.mail`` or ``customer.mail`` as well.
    category = _categories.get(str(name).rpartition(".")[2])
    if category is not None and value is not None:
        return f"[{category}]"
    if depth >= _DEEPEST:
        return "[deeper than is looked into]"
    if isinstance(value, Mapping):
        named = cast("Mapping[object, Any]", value)
        return {key: _shown(key, each, depth + 1) for key, each in named.items()}
    if isinstance(value, list | tuple | set | frozenset):
        several = cast("list[Any]", value)
        return [_shown("", each, depth + 1) for each in several]
    return value
