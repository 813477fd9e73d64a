"""How values are shown to who may not see them."""

from __future__ import annotations

from typing import Any, Final

from ...models import Field, Kind
from ...sql import Mask

__all__ = ["HIDDEN", "mask_of"]

HIDDEN: Final = "***"

_SHOWN: Final = 4
"""Characters that are left at the end of a text, if it is longer than twice that."""


def mask_of(field: Field) -> Mask:
    """Return how a field is masked: by its mark, or wholly."""
    if field.type.stored_kind is not Kind.STR or field.type.kind is not Kind.STR:
        return _nothing
    return _MASKS[field.marks.mask or "full"]


def _nothing(_: Any) -> None:  # noqa: ANN401  # whatever the field holds
    return None


def _full(_: Any) -> str:  # noqa: ANN401  # as above
    return HIDDEN


def _partial(value: object) -> str:
    if not isinstance(value, str):
        return HIDDEN  # it is sealed
    name, at, domain = value.rpartition("@")
    if at:
        return f"{name[:1]}{HIDDEN}@{domain}"
    return HIDDEN + (value[-_SHOWN:] if len(value) > 2 * _SHOWN else "")


_MASKS: Final[dict[str, Mask]] = {
    "full": _full,
    "partial": _partial,
    "null": _nothing,
}
