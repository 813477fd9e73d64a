from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import (  # noqa: UP035  # users write them
    Annotated,
    Any,
    Dict,
    List,
    Literal,
    NewType,
    Optional,
    TypeVar,
    Union,
)
from uuid import UUID

import msgspec
import pytest
from typing_extensions import TypeAliasType

from dataflow.models import Digits, FieldType, Kind, declare, seal
from dataflow.models.declaring._annotation import AnnotationError, read_annotation


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Switch(enum.Enum):
    ON = True


class Bits(enum.IntFlag):
    A = 1


class Empty(enum.Enum):
    pass


class Broken(enum.Enum):
    NUL = "\0"


class Address(msgspec.Struct):
    street: str


class Strange(msgspec.Struct):
    number: complex


class User:
    name: str


seal(User, declare(User))

UserId = NewType("UserId", int)
Alias = TypeAliasType("Alias", int)
T = TypeVar("T")
MONEY = Digits(10, 2)
LETTER_OR_NONE = Literal["a", None]  # noqa: PYI061  # users write it


def read(annotation: object) -> FieldType:
    return read_annotation(annotation)[0]


@pytest.mark.parametrize(
    ("annotation", "kind", "words"),
    [
        (int, Kind.INT, "int"),
        (float, Kind.FLOAT, "float"),
        (Decimal, Kind.DECIMAL, "Decimal"),
        (bool, Kind.BOOL, "bool"),
        (str, Kind.STR, "str"),
        (bytes, Kind.BYTES, "bytes"),
        (date, Kind.DATE, "date"),
        (time, Kind.TIME, "time (without timezone)"),
        (datetime, Kind.DATETIME, "datetime (timezone-aware)"),
        (timedelta, Kind.TIMEDELTA, "timedelta"),
        (UUID, Kind.UUID, "UUID"),
        (Color, Kind.ENUM, "one of 'red', 'blue'"),
        (Level, Kind.ENUM, "one of 1"),
        (Literal["a", "b"], Kind.LITERAL, "one of 'a', 'b'"),
        (Literal[True], Kind.LITERAL, "one of True"),
        (list[str], Kind.LIST, "list[str]"),
        (List[int], Kind.LIST, "list[int]"),  # noqa: UP006
        (list[Color], Kind.LIST, "list[one of 'red', 'blue']"),
        (list[Annotated[Decimal, MONEY]], Kind.LIST, f"list[{MONEY}]"),
        (dict, Kind.JSON, "dict"),
        (Dict, Kind.JSON, "dict"),  # noqa: UP006
        (dict[str, Any], Kind.JSON, "dict"),
        (Dict[str, Any], Kind.JSON, "dict"),  # noqa: UP006
        (list, Kind.JSON, "list"),
        (list[Any], Kind.JSON, "list"),
        (list[dict[str, Any]], Kind.JSON, "list"),
        (Address, Kind.STRUCT, "Address"),
        (UserId, Kind.INT, "int"),
        (Alias, Kind.INT, "int"),
        (Annotated[str, "a note"], Kind.STR, "str"),
        (Annotated[Decimal, MONEY], Kind.DECIMAL, str(MONEY)),
    ],
    ids=str,
)
def test_an_annotation_means_a_kind(annotation: object, kind: Kind, words: str) -> None:
    type_, is_nullable = read_annotation(annotation)

    assert type_.kind is kind
    assert type_.describe() == words
    assert not is_nullable


NULLABLE: list[tuple[object, FieldType]] = [
    (int | None, FieldType(Kind.INT, int)),
    (Optional[int], FieldType(Kind.INT, int)),  # noqa: UP045
    (Union[None, str], FieldType(Kind.STR, str)),  # noqa: UP007
    (Annotated[int | None, ""], FieldType(Kind.INT, int)),
    (
        Annotated[Decimal | None, MONEY],
        FieldType(Kind.DECIMAL, Decimal, digits=MONEY),
    ),
    (
        Optional[Annotated[Decimal, MONEY]],  # noqa: UP045
        FieldType(Kind.DECIMAL, Decimal, digits=MONEY),
    ),
    (LETTER_OR_NONE, FieldType(Kind.LITERAL, str, choices=("a",))),
]


@pytest.mark.parametrize(("annotation", "type_"), NULLABLE, ids=str)
def test_none_makes_it_nullable(annotation: object, type_: FieldType) -> None:
    assert read_annotation(annotation) == (type_, True)


def test_digits_said_elsewhere_reach_the_elements_of_a_list() -> None:
    type_, _ = read_annotation(list[Decimal], MONEY)

    assert type_.element == FieldType(Kind.DECIMAL, Decimal, digits=MONEY)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (int | str, "int | str has several types, a field has one"),
        (int | str | None, "int | str | None has several types, a field has one"),
        (
            Annotated[int, MONEY],
            "Digits are for Decimal, not for int",
        ),
        (
            list[list[int]],
            (
                "list[list[int]] holds list[int]: a list holds single values; list[Any] "
                "is JSON and holds lists and dicts"
            ),
        ),
        (
            list[Address],
            "holds Address: a list holds single values",
        ),
        (
            list[int | None],
            "list[int | None] holds None: a list holds values only, list[Any] is JSON",
        ),
        (
            dict[str, int],
            "dict[str, int]: a dict is JSON, declare dict[str, Any] or a Struct",
        ),
        (dict[int, Any], "declare dict[str, Any]"),
        (User, "User is a model: hold its key instead, such as `user_id: int`"),
        (Mixed, "the values of Mixed must be all str or all int"),
        (Switch, "the values of Switch must be all str or all int"),
        (Empty, "the values of Empty must be all str or all int"),
        (Literal["a", 1], "must be all str or all int"),
        (Literal[b"a"], "the values of Literal[b'a'] must be all str or all int"),
        (Bits, "Bits is a Flag, whose members combine: declare int"),
        (
            Broken,
            "Broken has a value that no database stores: a str with a NUL character",
        ),
        (Strange, "the Struct Strange is not JSON throughout"),
        (complex, "complex is not supported: a field is int, float, Decimal, bool"),
        (set[int], "set[int] is not supported"),
        (tuple[int, ...], "tuple[int, ...] is not supported"),
        (Sequence[int], "Sequence[int] is not supported"),
        (Any, "Any is not supported"),
        (object, "object is not supported"),
        (T, "~T is not supported"),
        ([int], "is not supported"),
        (type(None), "NoneType is not supported"),
    ],
)
def test_what_no_database_stores_is_refused_with_what_is_supported(
    annotation: object, message: str
) -> None:
    with pytest.raises(AnnotationError) as caught:
        read_annotation(annotation)

    assert message in str(caught.value)


def test_types_are_equal_when_they_say_the_same() -> None:
    assert read(list[Color]) == read(List[Color])  # noqa: UP006
    assert hash(read(Color)) == hash(read(Color))
    assert read(Color) != read(Level)
    assert read(int) != Kind.INT


def test_a_type_tells_its_digits() -> None:
    type_ = read(Annotated[Decimal, MONEY])

    assert (type_.precision, type_.scale) == (10, 2)
    assert (read(Decimal).precision, read(Decimal).scale) == (None, None)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Color, Kind.STR),
        (Level, Kind.INT),
        (Literal[True], Kind.BOOL),
        (UUID, Kind.UUID),
    ],
)
def test_a_type_tells_as_what_its_choices_are_stored(
    annotation: object, kind: Kind
) -> None:
    assert read(annotation).stored_kind is kind


def test_a_type_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        read(int).kind = Kind.STR  # type: ignore[misc]
