"""A foreign key of a model, by names: what it refers to is looked up later."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Action", "ForeignKey"]


class Action(StrEnum):
    """What becomes of rows when the row they refer to is deleted, or its key changed."""

    NO_ACTION = "no_action"
    """The change is refused, unless they are gone by the end of its statement."""
    RESTRICT = "restrict"
    """The change is refused."""
    CASCADE = "cascade"
    """They are deleted, or changed, as well."""
    SET_NULL = "set_null"
    """They refer to nothing."""


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that hold the key of a row elsewhere, or None in one of them.

    Attributes:
        fields: Names of the fields.
        target: Name of the model they refer to.
        to: Names of its fields, one for each; empty means its key.
        on_delete: What becomes of rows when the one they refer to is deleted.
        on_update: The same when its key changes.
        relation: What the row referred to is called here, or None for the default.
        backref: What these rows are called there, or None for the default.
    """

    fields: tuple[str, ...]
    target: str
    to: tuple[str, ...] = ()
    on_delete: Action = Action.NO_ACTION
    on_update: Action = Action.NO_ACTION
    relation: str | None = None
    backref: str | None = None

    @property
    def field(self) -> str | None:
        """The field that errors name; None where there are several."""
        return self.fields[0] if len(self.fields) == 1 else None
