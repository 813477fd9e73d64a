"""The type of a field, as a value."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import force_setattr

from ._check import (
    Check,
    check_bool,
    check_bytes,
    check_date,
    check_datetime,
    check_float,
    check_int,
    check_naive_datetime,
    check_str,
    check_time,
    check_timedelta,
    check_uuid,
    each,
    one_of,
)
from ._digits import Digits, check_decimal, fitting
from ._json import document, structure
from ._kind import COMPOUND, Kind
from ._narrow import (
    check_cidr,
    check_float_digits,
    check_inet,
    check_integer,
    check_macaddr,
    check_macaddr8,
    check_real,
    check_smallint,
)

__all__ = ["FieldType"]


class FieldType(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """What a field holds, and the check of one value.

    Attributes:
        kind: The kind; it alone decides how a value is stored.
        python_type: The class of the values; of LITERAL, that of the choices;
            of JSON, the class of the outermost value.
        element: Type of the elements of a LIST, else None.
        digits: Size of a DECIMAL, or None when it has no fixed one.
        choices: Members of an ENUM or values of a LITERAL, in order.
        column: The type of a column that others made, as its database says it, where
            statements must know it; None where the kind says enough.
        check: Returns one value in its normal form, or raises `MismatchError`.
    """

    kind: Kind
    python_type: Any
    element: FieldType | None = None
    digits: Digits | None = None
    choices: tuple[Any, ...] = ()
    column: str | None = None
    check: Check = repr  # replaced below

    def __post_init__(self) -> None:
        force_setattr(self, "check", _checker(self))

    def __repr__(self) -> str:
        return f"<FieldType {self.describe()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldType) and self._facts == other._facts

    def __hash__(self) -> int:
        return hash(self._facts)

    @property
    def _facts(self) -> tuple[Any, ...]:
        sizes = self.digits, self.choices, self.column
        return self.kind, self.python_type, self.element, *sizes

    @property
    def precision(self) -> int | None:
        """Digits of a DECIMAL altogether, or None when not fixed."""
        return None if self.digits is None else self.digits.precision

    @property
    def scale(self) -> int | None:
        """Digits of a DECIMAL after the point, or None when not fixed."""
        return None if self.digits is None else self.digits.scale

    @property
    def is_compound(self) -> bool:
        """Whether values hold other values: mutable, not indexed, no keys."""
        return self.kind in COMPOUND

    @property
    def stored_choices(self) -> dict[Any, Any]:
        """What is stored of each choice, and the choice."""
        if self.kind is Kind.ENUM:
            return {member.value: member for member in self.choices}
        return {value: value for value in self.choices}

    @property
    def stored_kind(self) -> Kind:
        """The kind as which the database sees it: that of the choices' values."""
        if not self.choices:
            return self.kind
        return Kind(type(next(iter(self.stored_choices))).__name__)

    def describe(self) -> str:
        """Say in a few words what it takes."""
        match self.kind:
            case Kind.LIST if self.element is not None:
                return f"list[{self.element.describe()}]"
            case Kind.ENUM | Kind.LITERAL:
                return "one of " + ", ".join(map(repr, self.stored_choices))
            case Kind.DECIMAL if self.digits is not None:
                return str(self.digits)
            case Kind.JSON | Kind.STRUCT:
                return str(self.python_type.__name__)
            case _ if self.column is not None:
                words = _WORDS.get(self.kind, self.kind.value)
                return f"{words} ({self.column})"
            case _:
                return _WORDS.get(self.kind, self.kind.value)


_WORDS: Final = {
    Kind.TIME: "time (without timezone)",
    Kind.DATETIME: "datetime (timezone-aware)",
    Kind.NAIVE_DATETIME: "datetime (without timezone)",
}

_PLAIN: Final[dict[Kind, Check]] = {
    Kind.INT: check_int,
    Kind.FLOAT: check_float,
    Kind.BOOL: check_bool,
    Kind.STR: check_str,
    Kind.BYTES: check_bytes,
    Kind.DATE: check_date,
    Kind.TIME: check_time,
    Kind.DATETIME: check_datetime,
    Kind.NAIVE_DATETIME: check_naive_datetime,
    Kind.TIMEDELTA: check_timedelta,
    Kind.UUID: check_uuid,
}

_NARROW: Final[dict[str, Check]] = {
    # By the names of PostgreSQL's types that hold less than their kind does.
    "smallint": check_smallint,
    "integer": check_integer,
    "real": check_real,
    "inet": check_inet,
    "cidr": check_cidr,
    "macaddr": check_macaddr,
    "macaddr8": check_macaddr8,
}


def _checker(type: FieldType) -> Check:  # noqa: A002  # its noun
    match type.kind:
        case Kind.LIST if type.element is not None:
            return each(type.element.check, type.describe())
        case Kind.ENUM | Kind.LITERAL:
            plain = _PLAIN[type.stored_kind]
            return one_of(type.stored_choices, plain, type.describe())
        case Kind.DECIMAL:
            check = check_decimal if type.digits is None else fitting(type.digits)
            return check if type.column is None else check_float_digits(check)
        case Kind.JSON:
            return document(type.python_type)
        case Kind.STRUCT:
            return structure(type.python_type)
        case _:
            return _NARROW.get(type.column or "") or _PLAIN[type.kind]
