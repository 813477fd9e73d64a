"""A field of a model, as a value."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec

from ..errors import FieldValueError
from .types._mismatch import MismatchError
from .types._type import FieldType

__all__ = ["Default", "Field", "Marks"]


class Default(msgspec.Struct, frozen=True, eq=False):
    """What a field holds when a create does not say.

    Attributes:
        value: The value, in its normal form; None with a factory too.
        factory: Makes the value, or None when *value* is it.
    """

    value: Any = None
    factory: Callable[[], Any] | None = None

    @property
    def is_none(self) -> bool:
        """Whether the default is None itself."""
        return self.value is None and self.factory is None


class Marks(msgspec.Struct, frozen=True):
    """How a field is protected, wherever its model is used.

    Attributes:
        is_immutable: Keeps the value that its row was created with.
        is_write_once: Keeps the first value that is not None.
        is_never_null: Is not set to None, though it may hold it already.
        mask: How its values are shown to who may not see them; None shows them.
        pii: What personal data it holds, such as ``email``; None if none.
        erased: What stands in its place when it is anonymised; UNSET for what fits.
    """

    is_immutable: bool = False
    is_write_once: bool = False
    is_never_null: bool = False
    mask: str | None = None
    pii: str | None = None
    erased: Any = msgspec.UNSET


class Field(msgspec.Struct, frozen=True, eq=False, kw_only=True, weakref=True):
    """One field of a model.

    Attributes:
        model: Name of the model.
        name: Name of the field, and of its column.
        type: What it holds.
        default: What it holds when a create does not say, or None if it must.
        is_nullable: Whether it may hold None.
        is_key: Whether it is the key, or part of it.
        is_unique: Whether no two rows hold the same value.
        is_generated: The database makes the value of a new row.
        is_managed: A timestamp that nodes set, not the caller.
        renamed_from: What its column was called before, or None.
        is_defaulted: The database has a value for a new row when a create says none.
        is_computed: The database always makes the value; none can be given.
        marks: How it is protected.
    """

    model: str
    name: str
    type: FieldType
    default: Default | None = None
    is_nullable: bool = False
    is_key: bool = False
    is_unique: bool = False
    is_generated: bool = False
    is_managed: bool = False
    renamed_from: str | None = None
    is_defaulted: bool = False
    is_computed: bool = False
    marks: Marks = Marks()

    @property
    def column(self) -> str:
        """Name of the column."""
        return self.name

    @property
    def has_default(self) -> bool:
        """Whether `default_value` gives one."""
        return self.default is not None

    @property
    def is_required(self) -> bool:
        """Whether a create must give it."""
        is_made = self.is_generated or self.is_managed or self.is_left_out
        return self.default is None and not is_made

    @property
    def is_left_out(self) -> bool:
        """Whether an insert that has no value for it must not name its column."""
        return self.is_defaulted or self.is_computed

    def describe(self) -> str:
        """Say in a few words what it takes."""
        words = self.type.describe()
        return f"{words} or None" if self.is_nullable else words

    def default_value(self) -> Any:  # noqa: ANN401  # its type's
        """Return the default: a fresh one, safe to change.

        Raises:
            FieldValueError: The default factory made a value of the wrong type.
            LookupError: There is no default.
        """
        if self.default is None:
            msg = f"{self.model}.{self.name} has no default"
            raise LookupError(msg)
        if self.default.factory is not None:
            return self.check(self.default.factory(), self.model)
        if self.type.is_compound:
            return deepcopy(self.default.value)
        return self.default.value

    def check(self, value: object, owner: str) -> Any:  # noqa: ANN401  # its type's
        """Return *value* in its normal form.

        Args:
            value: What a sender gave.
            owner: The node or model it was given to, for the error.

        Raises:
            FieldValueError: Wrong type, or more than both databases hold.
        """
        if value is None and self.is_nullable:
            return None
        try:
            return self.type.check(value)
        except MismatchError as error:
            alternative = " or None" if self.is_nullable else ""
            raise FieldValueError(
                owner, self.name, error.came, f"{error.expected}{alternative}"
            ) from None
