from __future__ import annotations

from typing import Any, ClassVar

import pytest

from dataflow.errors import FilterError, UnknownFieldError
from dataflow.models import declare, field
from dataflow.sql import parse_order


class User:
    name: str
    age: int | None
    tags: list[str] = []  # noqa: RUF012
    meta: dict[str, Any] = {}  # noqa: RUF012


class Odd:
    field: int
    order: int


class Line:
    order_id: int = field(primary_key=True)
    number: int = field(primary_key=True)
    __dataflow__: ClassVar[dict[str, object]] = {}


USER, ODD, LINE = declare(User), declare(Odd), declare(Line)


def order(given: object) -> str:
    terms = parse_order(given, USER)
    signs = {None: "", False: "!first", True: "!last"}
    return " ".join(
        f"{'-' * term.is_descending}{term.field.name}{signs[term.nulls_last]}"
        for term in terms
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "id"),
        ("", "id"),
        ([], "id"),
        ({}, "id"),
        ("age", "age id"),
        ("-age", "-age id"),
        ("+age", "age id"),
        ("- age", "-age id"),
        (" -age , name ", "-age name id"),
        ("age desc, name ASC,", "-age name id"),
        (["-age", "name"], "-age name id"),
        (("age desc",), "-age id"),
        ({"age": -1, "name": 1}, "-age name id"),
        ({"age": "DESC", "name": "asc"}, "-age name id"),
        ([{"age": -1}, {"name": "asc"}, "-id"], "-age name -id"),
        ([{"field": "age", "order": "desc"}], "-age id"),
        ({"field": "age"}, "age id"),
        ({"field": "age", "nulls": "last"}, "age!last id"),
        ([{"field": "age", "order": -1, "nulls": "FIRST"}], "-age!first id"),
        ({"field": "age", "order": "asc", "nulls": None}, "age id"),
        ("id, name", "id name"),
        ("age, -age", "age id"),
    ],
    ids=str,
)
def test_an_order_is_written_in_many_ways(given: object, expected: str) -> None:
    assert order(given) == expected


def test_the_whole_key_ends_an_order() -> None:
    terms = parse_order("-number", LINE)

    assert [term.field.name for term in terms] == ["number", "order_id"]


def test_columns_may_be_called_field_and_order() -> None:
    for given, expected in (
        ({"field": "desc"}, [("field", True), ("id", False)]),
        ({"field": -1, "order": 1}, [("field", True), ("order", False), ("id", False)]),
        ({"field": "order", "order": "desc"}, [("order", True), ("id", False)]),
    ):
        terms = parse_order(given, ODD)

        assert [(term.field.name, term.is_descending) for term in terms] == expected


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("agee", "User has no 'agee': did you mean 'age'?"),
        ("age; DROP TABLE users", "User has no 'age; DROP TABLE users'"),
        ('age" DESC --', "User has no"),
        ("(SELECT 1)", "User has no"),
        ("name COLLATE NOCASE desc", "User has no 'name COLLATE NOCASE'"),
        ("-", "User has no ''"),
        ({"age; --": 1}, "User has no 'age; --'"),
        ({1: 1}, "User has no '1'"),
        ({"age": 0}, "a direction is 1, -1, 'asc' or 'desc'"),
        ({"age": True}, "a direction is"),
        ({"age": "desc; --"}, "a direction is"),
        ({"age": [1]}, "a direction is"),
        ({"field": "age", "order": "down"}, "a direction is"),
        ({"field": "age", "dir": "desc"}, "a direction is"),
        ({"field": "age", "nulls": "least"}, "NULL comes 'first' or 'last'"),
        ({"field": "age", "nulls": True}, "NULL comes 'first' or 'last'"),
        (5, "takes names, a list or a mapping, not int"),
        ([None], "takes names, a list or a mapping, not None"),
        ([["age"]], "takes names, a list or a mapping, not list"),
        (b"age", "takes names, a list or a mapping, not bytes"),
        ("tags", "'tags' has no order: list[str]"),
        ({"meta": 1}, "'meta' has no order: dict"),
    ],
    ids=str,
)
def test_what_is_no_order_is_refused(given: object, problem: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_order(given, USER)

    assert caught.value.path == "order_by"
    assert problem in caught.value.problem


def test_an_unknown_field_is_the_cause() -> None:
    with pytest.raises(FilterError) as caught:
        parse_order("agee", USER)

    assert isinstance(caught.value.__cause__, UnknownFieldError)
