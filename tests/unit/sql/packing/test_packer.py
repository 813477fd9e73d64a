from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from dataflow import field
from dataflow.errors import FieldValueError
from dataflow.models import Model, declare
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Copying,
    Dialect,
    Packed,
    Packer,
    Packing,
    Result,
    packer_of,
)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
DIALECTS = pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])


def made() -> int:
    return 7


@pytest.fixture
def model() -> Model:
    class Item:
        __dataflow__: ClassVar = {"timestamps": True}

        code: str
        price: int = 1
        number: int = field(default_factory=made)
        pause: timedelta | None = None
        most: timedelta | None = timedelta(days=1)
        note: str | None = None

    return declare(Item)


def refuse(place: int) -> None:
    pytest.fail(f"row {place} is unusual")


def unpacked(packed: Packed) -> list[tuple[bytes | None, ...]]:
    """Read the rows of COPY as PostgreSQL does: the bytes of each column."""
    (payload,) = packed.payloads()
    assert payload.startswith(HEADER)
    at = len(HEADER)
    found: list[tuple[bytes | None, ...]] = []
    while (n_columns := int.from_bytes(payload[at : at + 2], signed=True)) >= 0:
        at += 2
        row: list[bytes | None] = []
        for _ in range(n_columns):
            size = int.from_bytes(payload[at : at + 4], signed=True)
            at += 4
            row.append(payload[at : at + size] if size >= 0 else None)
            at += max(size, 0)
        found.append(tuple(row))
    assert payload[at:] == b"\xff\xff"
    return found


def test_defaults_are_packed_beside_what_is_given(model: Model) -> None:
    (packed,) = packer_of(model, POSTGRESQL).new({}).pack([{"code": "a"}], refuse)
    (row,) = unpacked(packed)
    values = dict(zip(packed.columns, row, strict=True))

    assert values["code"] == b"a"
    assert values["price"] == (1).to_bytes(8)
    assert values["number"] == (7).to_bytes(8)
    assert values["pause"] is values["note"] is None
    assert values["most"] == bytes(8) + (1).to_bytes(4) + bytes(4)
    assert values["created_at"] == values["updated_at"]
    assert "id" not in values


@DIALECTS
def test_a_checked_row_is_packed_as_one_that_is_usual(
    dialect: Dialect, model: Model
) -> None:
    usual: dict[str, Any] = {
        "id": 3,
        "code": "é",
        "price": -1,
        "number": 2,
        "pause": timedelta(hours=-1),
        "most": None,
        "note": "x",
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2024, 1, 2, tzinfo=UTC),
    }

    class Row(dict[str, Any]):
        pass

    def check(_: int) -> tuple[Mapping[str, Any], frozenset[str]]:
        return usual, frozenset(usual)

    packing = packer_of(model, dialect).new({})
    (packed,) = packing.pack([usual, Row(usual)], check)
    if dialect is POSTGRESQL:
        first, second = unpacked(packed)
    else:
        first, second = packed.parts

    assert first == second
    assert len(packed) == 2


@DIALECTS
def test_neighbours_of_the_same_columns_come_together(
    dialect: Dialect, model: Model
) -> None:
    packer = packer_of(model, dialect)
    rows: list[Any] = [
        {"code": "a"},
        {"code": "b", "note": "x"},
        {"code": "c", "id": 4},
        {"code": "d"},
    ]
    together = packer.new({}).pack(rows, refuse)
    apart = packer.new({}, by_given=True).pack(rows, refuse)

    assert [each.places for each in together] == [[0, 1], [2], [3]]
    assert [each.places for each in apart] == [[0], [1], [2], [3]]
    assert apart[1].given == {"code", "note"}


@DIALECTS
def test_what_is_refused_leaves_no_trace(dialect: Dialect, model: Model) -> None:
    refused: list[int] = []
    rows: list[Any] = [
        {"code": "a"},
        {"code": 1},
        {"code": "b", "price": "1"},
        {"price": 1},
        {"code": "c", "colour": 1},
        5,
        {"code": "d", "price": 2**63},
        {"code": "\ud800"},
        {"code": "e"},
    ]
    (packed,) = packer_of(model, dialect).new({}).pack(rows, refused.append)

    assert refused == [1, 2, 3, 4, 5, 6, 7]
    assert packed.places == [0, 8]


@DIALECTS
def test_what_is_required_must_not_be_none(dialect: Dialect, model: Model) -> None:
    packer = packer_of(model, dialect)
    refused: list[int] = []
    rows: list[Any] = [{"code": "a", "note": None}, {"code": "b"}]
    packer.new({}, required=["note"]).pack(rows, refused.append)
    packer.new({"note": None}, required=["note"]).pack([{"code": "a"}], refused.append)

    assert refused == [0, 1, 0]


@DIALECTS
def test_values_for_every_row_must_not_be_in_one(
    dialect: Dialect, model: Model
) -> None:
    refused: list[int] = []
    everywhere = {"price": 5, "note": "n", "pause": None}
    packing = packer_of(model, dialect).new(everywhere)
    (packed,) = packing.pack(
        [{"code": "a"}, {"code": "b", "note": "x"}], refused.append
    )

    assert (packed.places, refused) == ([0], [1])


@DIALECTS
def test_reserved_keys_go_to_the_rows_without_one(
    dialect: Dialect, model: Model
) -> None:
    class Row(dict[str, Any]):
        pass

    def check(place: int) -> tuple[Mapping[str, Any], frozenset[str]] | None:
        if place != 3:
            return None
        values = {name: None for name in model.names if name != "id"}
        times = dict.fromkeys(("created_at", "updated_at"), datetime.now(UTC))
        return {**values, **times, "code": "x", "price": 1, "number": 1}, frozenset()

    rows: list[Any] = [
        {"code": "a"},
        {"code": 5},
        {"code": "b", "id": 9},
        Row(code="x"),
        {"code": "c"},
    ]
    packing = packer_of(model, dialect).new({}, is_reserving=True)
    (packed,) = packing.pack(rows, check, [10, 11, 12, 13, 14])

    assert packed.keys == [10, 9, 11, 12]
    assert [half.keys for half in packed.halves()] == [[10, 9], [11, 12]]
    assert packed.only([2]).places == [3]


@DIALECTS
def test_a_change_needs_its_key_and_something_to_change(
    dialect: Dialect, model: Model
) -> None:
    refused: list[int] = []
    rows: list[Any] = [{"id": 1}, {"price": 1}, {"id": 1, "price": 2}]
    (packed,) = packer_of(model, dialect).changes().pack(rows, refused.append)

    assert refused == [0, 1]
    assert {*packed.columns} == {"id", "price", "updated_at"}


def test_a_feed_packs_no_further_than_it_is_asked(model: Model) -> None:
    asked: list[int] = []
    rows: list[Any] = [{"code": "a"}, 5, {"code": "b"}, 5, {"code": "c"}]
    feed = packer_of(model, SQLITE).new({}).feed(rows, asked.append, stride=lambda: 2)
    first = next(feed)

    assert (first.places, asked) == ([0], [1])
    assert [each.places for each in feed] == [[2], [4]]


@pytest.mark.parametrize("n_rows", [0, 1, 3, 4, 7])
def test_packing_by_steps_stops_between_rows_and_gives_the_same(
    n_rows: int, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.sql.packing._packer.FEED_STRIDE", 3)
    rows: list[Any] = [{"code": str(n)} for n in range(n_rows)]
    packing = packer_of(model, SQLITE).new({})
    steps = packing.pack_by_steps(rows, refuse)
    for _ in range(max(0, (n_rows - 1) // 3)):
        next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)
    packed: list[Packed] = end.value.value

    assert [each.places for each in packed] == ([[*range(n_rows)]] if rows else [])


def test_rows_over_eight_mebibytes_are_several_payloads() -> None:
    class File:
        data: bytes

    packing: Packing = packer_of(declare(File), POSTGRESQL).new({})
    (packed,) = packing.pack([{"data": bytes(3 << 20)}] * 5, refuse)
    payloads = [*packed.payloads()]

    assert len(payloads) == 3
    assert all(each.startswith(HEADER) for each in payloads)


def test_there_is_one_packer_per_model_and_dialect(model: Model) -> None:
    assert packer_of(model, SQLITE) is packer_of(model, SQLITE)
    assert isinstance(packer_of(model, SQLITE), Packer)


def test_an_error_of_a_default_reaches_the_check(model: Model) -> None:
    class Item:
        code: int = field(default_factory=lambda: "x")

    reached: list[int] = []
    with pytest.raises(FieldValueError):
        packer_of(declare(Item), SQLITE).new({}).pack([{}], reached.append)
    assert not reached


def test_a_table_that_is_not_there_has_no_standing(model: Model) -> None:
    assert Copying(model).standing(Result((), 0)) is None
