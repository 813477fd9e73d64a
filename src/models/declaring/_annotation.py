"""What a Python annotation says about a field."""

from __future__ import annotations

import types
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

import msgspec

from ...errors import nearest
from ..types._check import Check, check_bool, check_int, check_str
from ..types._digits import Digits
from ..types._kind import SCALARS, Kind
from ..types._mismatch import MismatchError
from ..types._native import NATIVE_TYPES, Native, WithoutTimezone
from ..types._type import FieldType

__all__ = ["AnnotationError", "read_annotation"]

Annotation = Any
"""What stands behind the colon, resolved; `typing` gives it no common type."""

_KINDS: Final[dict[Any, Kind]] = {type_: kind for kind, type_ in SCALARS.items()}
_SUPPORTED: Final = (
    "a field is int, float, Decimal, bool, str, bytes, date, time, datetime, "
    "timedelta, UUID, an Enum, Literal, list of one of these, dict[str, Any] or a "
    "msgspec Struct, each also with `| None`"
)
_STORED: Final[dict[type[Any], Check]] = {
    int: check_int,
    str: check_str,
    bool: check_bool,
}


class AnnotationError(ValueError):
    """An annotation that says nothing a database can store."""


def read_annotation(
    annotation: Annotation, digits: Digits | None = None
) -> tuple[FieldType, bool]:
    """Return the type that *annotation* means, and whether it allows None.

    Args:
        annotation: Resolved: no strings in it.
        digits: Size of the Decimal, when said elsewhere.

    Raises:
        AnnotationError: It is not supported; the message says what is.
    """
    note = _note(annotation)
    type_, is_nullable = _read_bare(annotation, digits, note)
    return (type_ if note is None else _noted(type_, note)), is_nullable


def _read_bare(
    annotation: Annotation,
    digits: Digits | None,
    note: Native | WithoutTimezone | None,
) -> tuple[FieldType, bool]:
    bare, digits = _unwrap(annotation, digits)
    if _origin(bare) in (Union, types.UnionType):
        inner, _ = _read_bare(_without_none(bare), digits, note)
        return inner, True
    if bare is Any and isinstance(note, Native):
        return FieldType(Kind.JSON, object), False
    if _origin(bare) is Literal and None in get_args(bare):
        values = tuple(value for value in get_args(bare) if value is not None)
        return _choices(Kind.LITERAL, values, values, bare), True
    return _read(bare, digits), False


def _note(annotation: Annotation) -> Native | WithoutTimezone | None:
    """Return what is said of the column, behind `Annotated` or inside a union."""
    origin = _origin(annotation)
    inner = get_args(annotation)
    if origin is Annotated:
        for each in inner[1:]:
            if isinstance(each, Native | WithoutTimezone):
                return each
        return _note(inner[0])
    if origin in (Union, types.UnionType):
        notes = [note for each in inner if (note := _note(each)) is not None]
        return notes[0] if notes else None
    if type(annotation).__name__ == "TypeAliasType":
        return _note(annotation.__value__)
    return None


def _noted(type_: FieldType, note: Native | WithoutTimezone) -> FieldType:
    if isinstance(note, WithoutTimezone):
        if type_.kind is not Kind.DATETIME:
            msg = f"only a datetime is without timezone, not {type_.describe()}"
            raise AnnotationError(msg)
        return msgspec.structs.replace(type_, kind=Kind.NAIVE_DATETIME)
    kind = NATIVE_TYPES.get(note.name)
    if kind is None:
        near = nearest(note.name, tuple(NATIVE_TYPES))
        hint = f"did you mean {near!r}?" if near else f"use {', '.join(NATIVE_TYPES)}"
        msg = f"{note.name!r} is no type of a column: {hint}"
        raise AnnotationError(msg)
    if kind is not type_.kind:
        msg = f"a column of {note.name} holds {kind.value}, not {type_.describe()}"
        raise AnnotationError(msg)
    column = None if note.name == "jsonb" else note.name
    return msgspec.structs.replace(type_, column=column)


def _unwrap(
    annotation: Annotation, digits: Digits | None
) -> tuple[Annotation, Digits | None]:
    """Take off `Annotated`, `NewType` and type aliases."""
    while True:
        if _origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            digits = next((n for n in notes if isinstance(n, Digits)), digits)
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation, digits


def _without_none(union: Annotation) -> Annotation:
    rest = [each for each in get_args(union) if each is not type(None)]
    if len(rest) != 1 or len(rest) == len(get_args(union)):
        msg = f"{_shown(union)} has several types, a field has one"
        raise AnnotationError(msg)
    return rest[0]


def _read(bare: Annotation, digits: Digits | None) -> FieldType:
    if digits is not None and bare is not Decimal and _origin(bare) is not list:
        msg = f"Digits are for Decimal, not for {_shown(bare)}"
        raise AnnotationError(msg)
    origin = _origin(bare)
    if origin is Literal:
        values = get_args(bare)
        return _choices(Kind.LITERAL, values, values, bare)
    if bare is list or origin is list:
        return _list(bare, digits)
    if bare is dict or origin is dict:
        return _dict(bare)
    if isinstance(bare, type):
        return _class(bare, digits)
    raise _unsupported(bare)


def _list(bare: Annotation, digits: Digits | None) -> FieldType:
    inner = (*get_args(bare), Any)[0]
    if inner is Any or inner is dict or _origin(inner) is dict:
        return FieldType(Kind.JSON, list)
    element, is_nullable = read_annotation(inner, digits)
    if is_nullable:
        msg = f"{_shown(bare)} holds None: a list holds values only, list[Any] is JSON"
        raise AnnotationError(msg)
    if element.is_compound:
        msg = (
            f"{_shown(bare)} holds {_shown(inner)}: a list holds single values; "
            "list[Any] is JSON and holds lists and dicts"
        )
        raise AnnotationError(msg)
    return FieldType(Kind.LIST, list, element=element)


def _dict(bare: Annotation) -> FieldType:
    if get_args(bare) not in ((), (str, Any), (str, object)):
        msg = f"{_shown(bare)}: a dict is JSON, declare dict[str, Any] or a Struct"
        raise AnnotationError(msg)
    return FieldType(Kind.JSON, dict)


def _class(bare: type[Any], digits: Digits | None) -> FieldType:
    if bare in _KINDS:
        return FieldType(_KINDS[bare], bare, digits=digits)
    if issubclass(bare, Enum):
        return _enum(bare)
    if issubclass(bare, msgspec.Struct):
        return _struct(bare)
    if "__dataflow_model__" in vars(bare):
        msg = (
            f"{bare.__name__} is a model: hold its key instead, such as "
            f"`{bare.__name__.lower()}_id: int`"
        )
        raise AnnotationError(msg)
    raise _unsupported(bare)


def _enum(bare: type[Enum]) -> FieldType:
    if issubclass(bare, Flag):
        msg = f"{bare.__name__} is a Flag, whose members combine: declare int"
        raise AnnotationError(msg)
    members = tuple(bare)
    return _choices(Kind.ENUM, members, tuple(each.value for each in members), bare)


def _choices(
    kind: Kind, choices: tuple[Any, ...], stored: tuple[Any, ...], bare: Annotation
) -> FieldType:
    """Make the type of an Enum or a Literal; *stored* are the plain values."""
    only: Any = type(cast("object", stored[0])) if stored else None
    check = _STORED.get(only)
    is_mixed = any(type(value) is not only for value in stored)
    if check is None or is_mixed or (kind is Kind.ENUM and only is bool):
        msg = f"the values of {_shown(bare)} must be all str or all int"
        raise AnnotationError(msg)
    try:
        for value in stored:
            check(value)
    except MismatchError as error:
        msg = f"{_shown(bare)} has a value that no database stores: {error.came}"
        raise AnnotationError(msg) from None
    return FieldType(kind, bare if kind is Kind.ENUM else only, choices=choices)


def _struct(bare: type[msgspec.Struct]) -> FieldType:
    try:
        msgspec.json.schema(bare)
    except (TypeError, NameError) as error:
        msg = f"the Struct {bare.__name__} is not JSON throughout: {error}"
        raise AnnotationError(msg) from None
    return FieldType(Kind.STRUCT, bare)


def _origin(annotation: Annotation) -> Annotation:
    """Return `get_origin`, for which the type checkers expect too little."""
    return get_origin(annotation)


def _unsupported(bare: Annotation) -> AnnotationError:
    return AnnotationError(f"{_shown(bare)} is not supported: {_SUPPORTED}")


def _shown(annotation: Annotation) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")
