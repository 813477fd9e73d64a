"""A note on a field: which row elsewhere it refers to."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec

__all__ = ["OnChange", "References", "find_references"]

OnChange: TypeAlias = Literal["no_action", "restrict", "cascade", "set_null"]
"""What becomes of rows when the one they refer to goes away; see `Action`."""


class References(msgspec.Struct, frozen=True):
    """A note on a field: ``customer_id: Annotated[int, References("Customer")]``.

    `field` takes the same, and has more to say about each.

    Attributes:
        target: The model, by name or class, or a field of it: ``"Customer.code"``.
        on_delete: What becomes of the row when the one it refers to is deleted.
        on_update: The same when that one's key changes.
        relation: What the row it refers to is called.
        backref: What rows like this are called there.
    """

    target: str | type | None
    on_delete: OnChange = "no_action"
    on_update: OnChange = "no_action"
    relation: str | None = None
    backref: str | None = None


def find_references(annotation: Any) -> References | None:  # noqa: ANN401  # `typing` gives annotations no common type
    """Return the note in *annotation*, wherever `Annotated` stands in it."""
    if get_origin(annotation) is Annotated:
        notes = get_args(annotation)[1:]
        found = next((each for each in notes if isinstance(each, References)), None)
        return found or find_references(get_args(annotation)[0])
    if hasattr(annotation, "__supertype__"):
        return find_references(annotation.__supertype__)
    if type(annotation).__name__ == "TypeAliasType":
        return find_references(annotation.__value__)
    if get_origin(annotation) in (list, dict):
        return None
    inner = (find_references(each) for each in get_args(annotation))
    return next((each for each in inner if each is not None), None)
