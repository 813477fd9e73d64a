"""Conditions and values as text, for what a database keeps."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from dataflow.models import declare
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Dialect,
    inline,
    inline_rows,
    literal,
    literal_of,
    parse,
)


class Mood(Enum):
    GOOD = "good"


class Item:
    name: str
    price: int = 0
    is_open: bool = True


ITEM = declare(Item)


@pytest.mark.parametrize(
    ("value", "postgresql", "sqlite"),
    [
        (None, "NULL", "NULL"),
        (3, "E'3'", "3"),
        (-1.5, "E'-1.5'", "-1.5"),
        (True, "E'True'", "1"),
        ("it's \\ it", "E'it''s \\\\ it'", "'it''s \\ it'"),
        (b"\x00\xff", "E'\\\\x00ff'", "X'00ff'"),
    ],
)
def test_a_value_is_a_literal(value: Any, postgresql: str, sqlite: str) -> None:
    assert literal(value, POSTGRESQL) == postgresql
    assert literal(value, SQLITE) == sqlite


def test_a_list_is_an_array_on_postgresql() -> None:
    text = literal(["a", None, 'b"c', Mood.GOOD], POSTGRESQL)

    assert text == 'E\'{"a", NULL, "b\\\\"c", "good"}\''


@pytest.mark.parametrize(("dialect", "text"), [(POSTGRESQL, "E'True'"), (SQLITE, "1")])
def test_a_value_of_a_field_is_what_its_column_holds(
    dialect: Dialect, text: str
) -> None:
    assert literal_of(ITEM.field("is_open"), True, dialect) == text  # noqa: FBT003


def test_a_condition_holds_its_values() -> None:
    where = parse({"price": {"$gt": 3}, "name": {"$in": ["a", "b"]}}, ITEM)

    assert inline(ITEM, SQLITE, where) == (
        """"price" > 3 AND "name" IN (SELECT value FROM json_each('["a","b"]'))"""
    )
    assert inline(ITEM, POSTGRESQL, where) == (
        """"price" > E'3' AND "name" = ANY(E'{"a", "b"}')"""
    )


def test_what_only_our_connections_know_has_no_text() -> None:
    where = parse({"name": {"$regex": "^a"}}, ITEM)

    assert inline(ITEM, SQLITE, where) is None
    assert inline(ITEM, POSTGRESQL, where) == """"name" COLLATE "C" ~ E'^a'"""
    assert inline_rows(ITEM, SQLITE, parse({}, ITEM)) == "TRUE"
