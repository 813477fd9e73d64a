"""A note on a field: it holds personal data."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

import msgspec

__all__ = ["PII", "find_pii"]


class PII(msgspec.Struct, frozen=True):
    """A note on a field: ``mail: Annotated[str, PII("email")]``.

    Whose data it is follows from the model, see ``__dataflow__["subject"]``.

    Attributes:
        category: What it is, such as ``email``, ``phone`` or ``name``.
        erased: What stands in its place when it is anonymised; by default something
            that fits the field and tells nothing.
    """

    category: str = "personal"
    erased: Any = msgspec.UNSET


def find_pii(annotation: Any) -> PII | None:  # noqa: ANN401  # `typing` gives annotations no common type
    """Return the note in *annotation*, wherever `Annotated` stands in it."""
    if get_origin(annotation) is Annotated:
        notes = get_args(annotation)[1:]
        found = next((each for each in notes if isinstance(each, PII)), None)
        return found or find_pii(get_args(annotation)[0])
    if hasattr(annotation, "__supertype__"):
        return find_pii(annotation.__supertype__)
    if type(annotation).__name__ == "TypeAliasType":
        return find_pii(annotation.__value__)
    inner = (find_pii(each) for each in get_args(annotation))
    return next((each for each in inner if each is not None), None)
