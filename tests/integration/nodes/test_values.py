"""What is stored comes back as it was, parsed, from both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from dataflow import DataFlow, Digits, field
from dataflow.errors import FieldValueError

Ask = Callable[..., Awaitable[Any]]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    street: str
    number: int = 0


ROW: dict[str, Any] = {
    "number": 2**63 - 1,
    "share": 0.1,
    "price": Decimal("19.99"),
    "exact": Decimal("1234567890123456789012345.678901"),
    "done": True,
    "text": "Ünïcode 🐘 'quoted' \"twice\" \\ %s $1 ?1",
    "raw": b"\x00\xff",
    "day": date(2024, 2, 29),
    "hour": time(23, 59, 59, 999999),
    "at": datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    "lasts": timedelta(days=-1, microseconds=1),
    "key": UUID(int=2**128 - 1),
    "color": Color.BLUE,
    "size": "large",
    "tags": ["a", "", "b,c"],
    "numbers": [3, -(2**63)],
    "data": {"a": [1, {"b": None}], "c": 1.5, "d": "x"},
    "anything": [1, "a", None, {"b": True}],
    "address": Address("Main", 7),
    "maybe": None,
}


@pytest.fixture
def thing(db: DataFlow) -> type:
    @db.model
    class Thing:
        number: int
        share: float
        price: Annotated[Decimal, Digits(10, 2)]
        exact: Decimal
        done: bool
        text: str
        raw: bytes
        day: date
        hour: time
        at: datetime
        lasts: timedelta
        key: UUID
        color: Color
        size: Literal["small", "large"]
        tags: list[str]
        numbers: list[int]
        data: dict[str, Any]
        anything: list[Any]
        address: Address
        maybe: str | None = None

    return Thing


async def test_every_type_comes_back_from_every_node(
    db: DataFlow, thing: type, ask: Ask
) -> None:
    stored = {"id": 1, **ROW}
    bulk = await ask("ThingBulkCreateNode", data=[ROW, ROW], return_ids=True)

    assert await ask("ThingReadNode", id=1) == {**stored, "found": True}
    assert (await ask("ThingListNode"))["records"] == [stored, {**stored, "id": 2}]
    assert await ask("ThingCreateNode", **ROW) == {**stored, "id": 3}
    assert await ask("ThingUpdateNode", id=1, **ROW) == {**stored, "updated": True}
    assert (await ask("ThingUpsertNode", where={"id": 1}, create=ROW, update=ROW))[
        "record"
    ] == stored
    assert bulk["ids"] == [1, 2]
    assert (await ask("ThingBulkUpdateNode", data=[stored]))["updated"] == 1
    assert (await ask("ThingBulkUpsertNode", data=[stored]))["updated"] == 1
    assert [record async for record in db[thing].stream({"id": 1})] == [stored]


async def test_a_choice_or_a_structure_may_be_given_as_it_is_stored(
    db: DataFlow, thing: type
) -> None:
    given = {**ROW, "color": "blue", "address": {"street": "Main", "number": 7}}

    assert await db[thing].create(**given) == {"id": 1, **ROW}


async def test_what_one_node_gives_another_takes(db: DataFlow, thing: type) -> None:
    flow = db.workflow()
    flow.add_node("ThingCreateNode", "first", ROW)
    flow.add_node("ThingCreateNode", "second")
    for name in ROW:
        flow.add_connection("first", name, "second", name)
    results, _ = await db.run(flow.build())

    assert results["second"] == {**results["first"], "id": 2}
    assert await db[thing].count() == 2


TEXTS = [
    "how to: select * from t; drop table users; -- ",
    "Robert'); DROP TABLE notes;--",
    "' OR '1'='1",
    "$1 ?1 %s :name {0} ${",
    "/* comment */ -- another",
    "\\x00 \\' \n\r\t \x1b",
    "NULL",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_text_with_sql_in_it_is_stored_unchanged(
    text: str, db: DataFlow, ask: Ask
) -> None:
    @db.model
    class Note:
        text: str
        more: dict[str, Any] = field(default_factory=dict[str, Any])

    await ask("NoteCreateNode", text=text, more={text: text})
    await ask("NoteBulkCreateNode", data=[{"text": text, "more": {"a": [text]}}])
    found = await ask("NoteListNode", filter={"text": text})
    updated = await ask("NoteUpdateNode", filter={"text": text, "id": 2}, text=text * 2)

    assert [row["text"] for row in found["records"]] == [text, text]
    assert [row["more"] for row in found["records"]] == [{text: text}, {"a": [text]}]
    assert updated["text"] == text * 2
    assert await ask("NoteCountNode", filter={"text": {"$contains": text}}) == {
        "count": 2
    }


BAD: list[tuple[str, object]] = [
    ("number", 2**63),
    ("number", True),
    ("number", 1.0),
    ("share", float("nan")),
    ("share", float("inf")),
    ("price", Decimal("0.001")),
    ("price", 1.5),
    ("done", 1),
    ("text", "nul \0"),
    ("text", "\ud800"),
    ("text", b"bytes"),
    ("raw", "text"),
    ("day", datetime(2024, 2, 29, tzinfo=UTC)),
    ("at", "2024-02-29T12:00:00+00:00"),
    ("at", datetime(2024, 2, 29)),  # noqa: DTZ001  # that is the mistake
    ("at", date(2024, 2, 29)),
    ("key", str(UUID(int=1))),
    ("color", "green"),
    ("size", "medium"),
    ("tags", "abc"),
    ("tags", ["a", 1]),
    ("data", {"a": {1: 2}}),
    ("data", {"a": "\0"}),
    ("data", '{"a": 1}'),
    ("address", {"street": 1}),
    ("text", None),
]


async def test_what_a_field_does_not_take_is_refused_before_the_database(
    db: DataFlow, thing: type
) -> None:
    for name, value in BAD:
        with pytest.raises(FieldValueError) as one:
            await db[thing].create(**{**ROW, name: value})
        with pytest.raises(FieldValueError) as many:
            await db[thing].bulk_create([ROW, {**ROW, name: value}])

        assert (one.value.owner, one.value.field) == ("ThingCreateNode", name)
        assert many.value.owner == "ThingBulkCreateNode data[1]"
        assert str(one.value).startswith(f"ThingCreateNode.{name} takes ")
    assert await db[thing].count() == 0
