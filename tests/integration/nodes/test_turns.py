"""What waits for a node together is carried out together, each message for itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Protocol
from uuid import UUID

import anyio
import msgspec
import pytest

from dataflow import DataFlow, Digits, Records
from dataflow.actors import Interceptor
from dataflow.drivers import Driver
from dataflow.errors import (
    ConstraintError,
    DeadlineExceededError,
    DriverError,
    DuplicateKeyError,
    FieldValueError,
    FilterError,
    RecordNotFoundError,
)
from dataflow.sql import POSTGRESQL, Statement


class Door(Interceptor, Protocol):
    """See conftest."""

    sizes: list[int]

    def shut(self) -> None: ...

    def open(self) -> None: ...

    async def line_up(
        self, first: Awaitable[Any], *rest: Awaitable[Any]
    ) -> list[Any]: ...


TABLE = """CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    name VARCHAR(20) NOT NULL UNIQUE,
    number INTEGER CHECK (number > 0),
    parent INTEGER REFERENCES items,
    note TEXT
)"""


@pytest.fixture
async def db(database_url: str, door: Door) -> AsyncIterator[DataFlow]:
    async with DataFlow(
        database_url, pool_size=1, echo=True, interceptors=[door]
    ) as db:
        yield db
    db.close()


@pytest.fixture
async def items(db: DataFlow, other: Driver) -> Records:
    """Give the rows 1 to 4 of a table that is stricter than its model."""
    async with other.acquire() as connection:
        await connection.run([Statement(TABLE)])

    @db.model
    class Item:
        id: int
        name: str | None = None
        number: int = 1
        parent: int | None = None
        note: str | None = None

    rows = db[Item]
    for number in range(1, 5):
        await rows.create(id=number, name=f"name {number}")
    return rows


@pytest.fixture
def ran(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Give what gives the statements that ran since it was last asked."""
    caplog.set_level(logging.INFO, "dataflow.drivers")

    def ran() -> list[str]:
        texts = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return [text for text in texts if "statement_run" in text]

    return ran


def kinds(outcomes: Sequence[object]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


async def all_of(rows: Records) -> list[dict[str, Any]]:
    return [record async for record in rows.stream()]


# -- creates ------------------------------------------------------------------------


async def test_creates_that_wait_together_are_one_statement(
    items: Records, door: Door, ran: Callable[[], list[str]], other: Driver
) -> None:
    ran()
    replies = await door.line_up(
        *(items.create(id=n, name=f"name {n}", number=n) for n in range(10, 31))
    )
    texts = [text for text in ran() if "INSERT" in text]

    assert door.sizes == [1, 20]
    assert [reply["id"] for reply in replies] == list(range(10, 31))
    assert [reply["name"] for reply in replies] == [f"name {n}" for n in range(10, 31)]
    assert await items.count() == 25
    # SQLite runs each in one transaction, in one hop.
    assert len(texts) == (2 if other.dialect is POSTGRESQL else 21)


async def test_generated_keys_and_defaults_go_to_who_asked(
    db: DataFlow, door: Door
) -> None:
    @db.model
    class Note:
        text: str
        length: int = 7

    rows = db[Note]
    replies = await door.line_up(
        *(rows.create(text=f"text {n}") for n in range(10)),
        *(rows.create(text=f"text {n}", length=n) for n in range(10, 20)),
    )

    assert [reply["text"] for reply in replies] == [f"text {n}" for n in range(20)]
    assert [reply["length"] for reply in replies] == [7] * 10 + list(range(10, 20))
    assert sorted(reply["id"] for reply in replies) == list(range(1, 21))
    assert await all_of(rows) == sorted(replies, key=lambda reply: reply["id"])


async def test_callers_that_start_at_once_share_a_turn(
    items: Records, door: Door
) -> None:
    await items.create(id=99, name="x")
    door.sizes.clear()
    replies: dict[int, dict[str, Any]] = {}

    async def create(number: int) -> None:
        replies[number] = await items.create(id=number, name=f"name {number}")

    async with anyio.create_task_group() as tasks:
        for number in range(10, 30):
            tasks.start_soon(create, number)

    assert door.sizes == [20]
    assert all(reply["name"] == f"name {n}" for n, reply in replies.items())


BAD = [
    pytest.param({"id": 1, "name": "bad"}, "unique", id="key"),
    pytest.param({"id": 50, "name": "name 1"}, "unique", id="unique"),
    pytest.param({"id": 50, "name": None}, "not_null", id="not_null"),
    pytest.param({"id": 50, "name": "bad", "number": -1}, "check", id="check"),
    pytest.param({"id": 50, "name": "bad", "parent": 77}, "foreign_key", id="parent"),
]


@pytest.mark.parametrize(("bad", "kind"), BAD)
@pytest.mark.parametrize("place", [1, 4, 10])
async def test_a_row_that_breaks_a_rule_fails_alone(
    bad: dict[str, Any], kind: str, place: int, items: Records, door: Door
) -> None:
    row = {"number": 1, "parent": 1}
    good = [{"id": n, "name": f"good {n}", **row} for n in range(10, 20)]
    sent = [*good[:place], {**row, **bad}, *good[place:]]
    outcomes = await door.line_up(*(items.create(**each) for each in sent))
    error = outcomes.pop(place)

    assert isinstance(error, ConstraintError)
    assert (error.kind, error.table) == (kind, "items")
    assert isinstance(error, DuplicateKeyError) == (kind == "unique")
    assert outcomes == [{**each, "note": None} for each in good]
    assert door.sizes == [1, 10]
    assert await items.count() == 14


async def test_values_that_the_database_refuses_fail_alone(
    items: Records, door: Door, other: Driver
) -> None:
    too_large = {"number": 2**40, "name": "too long a text for this column"}
    outcomes = await door.line_up(
        items.create(id=10, name="a"),
        items.create(id=11, name="b"),
        items.create(id=12, **too_large),
        items.create(id=13, name="c"),
    )

    is_strict = other.dialect is POSTGRESQL
    assert isinstance(outcomes[2], DriverError) == is_strict
    assert [outcome["name"] for outcome in (*outcomes[:2], outcomes[3])] == list("abc")


async def test_bad_parameters_fail_alone(items: Records, door: Door) -> None:
    outcomes = await door.line_up(
        items.create(id=10, name="a"),
        items.create(id=11, name=7),
        items.create(id=12, name="b"),
    )

    assert kinds(outcomes) == [dict, FieldValueError, dict]


async def test_of_two_rows_with_one_key_the_first_is_stored(
    items: Records, door: Door
) -> None:
    outcomes = await door.line_up(
        items.create(id=10, name="a"),
        items.create(id=11, name="first", note="1"),
        items.create(id=12, name="b", note="2"),
        items.create(id=13, name="first", note="3"),
        items.create(id=11, name="c", note="4"),
    )

    assert kinds(outcomes) == [dict, dict, dict, DuplicateKeyError, DuplicateKeyError]
    assert outcomes[3].fields == ("name",)
    assert outcomes[4].fields == ("id",)
    assert (await items.read(11))["note"] == "1"


async def test_a_sequence_that_is_behind_is_moved_for_a_turn_too(
    db: DataFlow, door: Door
) -> None:
    @db.model
    class Note:
        text: str

    rows = db[Note]
    await rows.bulk_create([{"id": n, "text": "given"} for n in range(1, 6)])
    made = await door.line_up(*(rows.create(text=f"text {n}") for n in range(8)))

    assert [row["text"] for row in made] == [f"text {n}" for n in range(8)]
    assert sorted(row["id"] for row in made) == list(range(6, 14))


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    street: str
    number: int = 0


async def test_rows_of_every_type_are_stored_as_one_by_one(
    db: DataFlow, door: Door
) -> None:
    @db.model
    class Thing:
        share: float | None = None
        price: Annotated[Decimal, Digits(10, 2)] | None = None
        exact: Decimal | None = None
        done: bool | None = None
        text: str | None = None
        raw: bytes | None = None
        day: date | None = None
        hour: time | None = None
        at: datetime | None = None
        lasts: timedelta | None = None
        key: UUID | None = None
        color: Color | None = None
        size: Literal["small", "large"] | None = None
        tags: list[str] | None = None
        data: dict[str, Any] | None = None
        address: Address | None = None

    full: dict[str, Any] = {
        "share": 0.1,
        "price": Decimal("19.99"),
        "exact": Decimal("1234567890123456789012345.678901"),
        "done": True,
        "text": "{a,\"b\"} 'c' \\ NULL",
        "raw": b"\x00\xff",
        "day": date(2024, 2, 29),
        "hour": time(23, 59, 59, 999999),
        "at": datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        "lasts": timedelta(days=-1, microseconds=1),
        "key": UUID(int=2**128 - 1),
        "color": Color.BLUE,
        "size": "large",
        "data": {"a": [1, {"b": None}], "c": "NULL"},
        "address": Address("Main", 7),
    }
    rows = db[Thing]
    sent: list[dict[str, Any]] = [
        full,
        dict.fromkeys(full),
        full,
        {**full, "tags": ["a", "", "NULL"]},
        {**full, "tags": None},
        {**full, "tags": []},
        {},
        {},
    ]
    alone = [await rows.create(**each) for each in sent]
    together = await door.line_up(*(rows.create(**each) for each in sent))
    changed = await door.line_up(
        *(
            rows.update(row["id"], **each)
            for row, each in zip(alone, [*sent[::-1][2:], full, full], strict=True)
        )
    )
    read = await door.line_up(*(rows.read(row["id"]) for row in alone))

    for row in (*alone, *together):
        del row["id"]
    assert together == alone
    for row, each in zip(changed, [*sent[::-1][2:], full, full], strict=True):
        assert row.pop("updated")
        assert {name: row[name] for name in each} == each
    for row, before in zip(read, changed, strict=True):
        assert row.pop("found")
        assert row == before


# -- reads ----------------------------------------------------------------------------


async def test_reads_of_some_keys_are_one_statement(
    items: Records, door: Door, ran: Callable[[], list[str]], other: Driver
) -> None:
    await items.read(1)
    ran()
    outcomes = await door.line_up(
        items.read(4),
        items.read(3),
        items.read(77, raise_on_not_found=False),
        items.read(1),
        items.read(3),
        items.read(78),
        items.read(filter={"name": "name 2"}),
        items.read(id=2),
    )
    n_read = len(ran())
    missing = outcomes.pop(5)

    assert isinstance(missing, RecordNotFoundError)
    found = [(outcome["id"], outcome["found"]) for outcome in outcomes]
    assert found == [(n, n < 5) for n in (4, 3, 77, 1, 3, 2, 2)]
    assert n_read == (3 if other.dialect is POSTGRESQL else 8)


KEYS: dict[str, tuple[Any, list[Any]]] = {
    "int": (int, [-(2**63), -1, 0, 2**63 - 1]),
    "str": (str, ["", "a", "A", "a ", "ä", "NULL", '{"}']),
    "UUID": (UUID, [UUID(int=0), UUID(int=7), UUID(int=2**128 - 1)]),
    "Decimal": (
        Annotated[Decimal, Digits(10, 2)],
        [Decimal("0.00"), Decimal("-1.50"), Decimal("99999999.99")],
    ),
    "exact": (Decimal, [Decimal("1E+3"), Decimal("0.10"), Decimal(-7)]),
    "date": (date, [date.min, date(2024, 2, 29), date(9999, 12, 30)]),
    "time": (time, [time.min, time(1, 2, 3, 4)]),
    "datetime": (
        datetime,
        [datetime(1, 1, 2, tzinfo=UTC), datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)],
    ),
    "timedelta": (timedelta, [timedelta(-1), timedelta(0, 1, 1)]),
    "bytes": (bytes, [b"", b"\x00", b"\xff\x00"]),
    "bool": (bool, [False, True]),
    "Enum": (Color, [Color.RED, Color.BLUE]),
    "Literal": (Literal["a", "b"], ["a", "b"]),
}


@pytest.mark.parametrize("name", KEYS)
async def test_rows_are_found_by_keys_of_every_type(
    name: str, db: DataFlow, door: Door
) -> None:
    type_, keys = KEYS[name]

    body = {
        "__annotations__": {"code": type_, "number": int},
        "__dataflow__": {"primary_key": ["code"]},
    }
    rows = db[db.model(type("Thing", (), body))]
    numbers = range(len(keys))
    both = list(zip(keys, numbers, strict=True))
    created = await door.line_up(*(rows.create(code=k, number=n) for k, n in both))
    read = await door.line_up(*(rows.read(k) for k, _ in [*both, *both]))
    updated = await door.line_up(*(rows.update(k, number=n + 1) for k, n in both[::-1]))
    deleted = await door.line_up(*(rows.delete(k) for k, _ in [*both, *both]))

    assert [(row["code"], row["number"]) for row in created] == both
    assert [(row["code"], row["number"]) for row in read] == [*both, *both]
    expected = [(k, n + 1) for k, n in both[::-1]]
    assert [(row["code"], row["number"]) for row in updated] == expected
    assert [row["code"] for row in deleted] == [*keys, *keys]
    assert [row["deleted"] for row in deleted] == [True] * len(keys) + [False] * len(
        keys
    )


async def test_rows_are_found_by_composite_keys(db: DataFlow, door: Door) -> None:
    @db.model
    class Seat:
        row: str
        number: int
        taken: bool = False
        __dataflow__: ClassVar = {"primary_key": ["number", "row"]}

    rows = db[Seat]
    seats = [("a", 1), ("a", 2), ("b", 1)]
    none = {"row": "b", "number": 2}
    await door.line_up(*(rows.create(row=r, number=n) for r, n in seats))
    updated = await door.line_up(
        rows.update(row="b", number=1, taken=True),
        rows.update(row="a", number=2, taken=True),
        rows.update(**none, taken=True),
    )
    read = await door.line_up(
        *(rows.read(row=r, number=n) for r, n in seats),
        rows.read(**none, raise_on_not_found=False),
    )
    deleted = await door.line_up(
        *(rows.delete(row=r, number=n) for r, n in [*seats, seats[0]])
    )

    assert [row["updated"] for row in updated] == [True, True, False]
    assert [row.get("taken") for row in read] == [False, True, True, None]
    assert read[3] == {**none, "found": False}
    assert [row["deleted"] for row in deleted] == [True, True, True, False]
    assert await rows.count() == 0


# -- updates, deletes, upserts, counts ---------------------------------------------------


async def test_updates_of_one_row_come_one_after_the_other(
    items: Records, door: Door
) -> None:
    outcomes = await door.line_up(
        items.update(1, number=9),
        *(items.update(n % 2 + 1, number=n) for n in range(10, 20)),
        items.update(77, number=1),
    )

    numbers = [outcome.get("number") for outcome in outcomes]
    assert numbers == [9, *range(10, 20), None]
    assert [row["number"] for row in await all_of(items)] == [18, 19, 1, 1]


async def test_updates_of_different_columns_leave_each_other_alone(
    items: Records, door: Door
) -> None:
    outcomes = await door.line_up(
        items.update(1, number=9),
        items.update(1, name="one"),
        items.update(2, note="two", number=2),
        items.update(1, note="1"),
        items.update(3, name="three"),
        items.update(1, fields={"id": 11}),
        items.update(4, fields={}),
        items.update(filter={"name": "name 4"}, note="4"),
    )

    stored = {row["id"]: (row["name"], row["note"]) for row in await all_of(items)}
    assert stored == {
        2: ("name 2", "two"),
        3: ("three", None),
        4: ("name 4", "4"),
        11: ("one", "1"),
    }
    assert [outcome["updated"] for outcome in outcomes] == [True] * 6 + [False, True]


async def test_an_update_that_breaks_a_rule_fails_alone(
    items: Records, door: Door
) -> None:
    outcomes = await door.line_up(
        items.update(4, number=4),
        items.update(1, number=5),
        items.update(2, number=-5),
        items.update(3, number=6),
        items.update(77, number=7, raise_on_not_found=True),
    )

    assert kinds(outcomes) == [dict, dict, ConstraintError, dict, RecordNotFoundError]
    assert [row["number"] for row in await all_of(items)] == [5, 1, 6, 4]


async def test_of_two_deletes_of_one_row_one_deletes_it(
    items: Records, door: Door
) -> None:
    await items.update(3, parent=2)
    outcomes = await door.line_up(
        items.delete(77),
        items.delete(1),
        items.delete(1),
        items.delete(2),
        items.delete(4),
        items.delete(1, raise_on_not_found=True),
    )

    # Of row 2 there is a child.
    assert isinstance(outcomes[3], ConstraintError)
    assert isinstance(outcomes[5], RecordNotFoundError)
    assert [outcomes[n]["deleted"] for n in (0, 1, 2, 4)] == [False, True, False, True]
    assert [row["id"] for row in await all_of(items)] == [2, 3]


async def test_of_upserts_of_one_key_exactly_one_creates(
    items: Records, door: Door
) -> None:
    def upsert(key: int, number: int) -> Awaitable[dict[str, Any]]:
        return items.upsert(
            where={"id": key},
            create={"name": f"new {key}", "number": number},
            update={"number": number},
        )

    outcomes = await door.line_up(
        upsert(1, 1),
        upsert(9, 2),
        upsert(8, 3),
        upsert(9, 4),
        upsert(2, 5),
        upsert(9, 6),
    )

    assert [row["created"] for row in outcomes] == [False, True, True, *[False] * 3]
    numbers = [row["record"]["number"] for row in outcomes]
    assert numbers == list(range(1, 7))
    assert (await items.read(9))["number"] == 6


async def test_an_upsert_that_breaks_a_rule_fails_alone(
    items: Records, door: Door
) -> None:
    def upsert(key: int, name: str) -> Awaitable[dict[str, Any]]:
        return items.upsert(where={"id": key}, update={"name": name})

    outcomes = await door.line_up(
        upsert(1, "a"), upsert(9, "b"), upsert(8, "name 4"), upsert(2, "c")
    )

    assert kinds(outcomes) == [dict, dict, DuplicateKeyError, dict]
    assert [row["name"] for row in await all_of(items)] == [
        "a",
        "c",
        "name 3",
        "name 4",
        "b",
    ]


async def test_equal_counts_are_one_statement(
    items: Records, door: Door, ran: Callable[[], list[str]], other: Driver
) -> None:
    filters: list[dict[str, Any] | None] = [
        None,
        {"id": {"$gt": 1}},
        {"id": {"$gt": 2}},
        None,
        {"id": {"$gt": 1}},
        {"id": {"$in": [1, 2]}},
        {"id": {"$in": [1, 2]}},
    ]
    ran()
    outcomes = await door.line_up(*(items.count(each) for each in filters))
    n_counted = len(ran())

    assert outcomes == [4, 3, 2, 4, 3, 2, 2]
    assert n_counted < 7 if other.dialect is POSTGRESQL else n_counted == 7


async def test_a_count_whose_filter_is_too_large_fails_alone(
    items: Records, door: Door
) -> None:
    huge = {"$or": [{"id": {"$in": list(range(30_000))}}] * 3}
    outcomes = await door.line_up(
        items.count(), items.count(), items.count(huge), items.count({"id": 1})
    )

    assert [outcomes[n] for n in (0, 1, 3)] == [4, 4, 1]
    # SQLite takes the list as one parameter.
    assert outcomes[2] == 4 or isinstance(outcomes[2], FilterError)


# -- whose messages ------------------------------------------------------------------------


async def test_tenants_never_share_a_statement(
    db: DataFlow,
    items: Records,
    door: Door,
    ran: Callable[[], list[str]],
    other: Driver,
) -> None:
    async def create(number: int, tenant: str) -> object:
        flow = db.workflow()
        values = {"id": number, "name": f"name {number}"}
        flow.add_node("ItemCreateNode", "it", values)
        results, _ = await db.run(flow.build(), tenant=tenant)
        return results["it"]["id"]

    ran()
    outcomes = await door.line_up(
        *(create(n, "a") for n in (10, 11, 12)),
        *(create(n, "b") for n in (13, 14)),
        items.create(id=15, name="name 15"),
        *(create(n, "a") for n in (16, 17)),
    )
    n_inserts = len([text for text in ran() if "INSERT" in text])

    assert outcomes.pop(5)["id"] == 15
    assert outcomes == [10, 11, 12, 13, 14, 16, 17]
    assert door.sizes == [1, 7]
    # The first alone; then a, b and nobody's.
    assert n_inserts == (4 if other.dialect is POSTGRESQL else 8)


async def test_a_deadline_that_passed_in_the_mailbox_fails_its_message_only(
    db: DataFlow, items: Records, door: Door
) -> None:
    flow = db.workflow()
    flow.add_node("ItemCreateNode", "it", {"id": 10, "name": "late"})
    late = flow.build()

    async def create_late() -> None:
        with pytest.raises(DeadlineExceededError):
            await db.run(late, deadline=anyio.current_time() + 0.02)
        door.open()

    door.shut()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in (11, 12):
                tasks.start_soon(lambda n: items.create(id=n, name=f"{n}"), number)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(create_late)
            tasks.start_soon(lambda n: items.create(id=n, name=f"{n}"), 13)

    assert [row["id"] for row in await all_of(items)] == [1, 2, 3, 4, 11, 12, 13]


async def test_a_caller_that_is_cancelled_in_the_mailbox_takes_nobody_along(
    items: Records, door: Door
) -> None:
    scope = anyio.CancelScope()
    replies: list[dict[str, Any]] = []

    async def create(number: int, mine: anyio.CancelScope) -> None:
        with mine:
            replies.append(await items.create(id=number, name=f"name {number}"))

    door.shut()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in (10, 11, 12, 13):
                mine = scope if number == 12 else anyio.CancelScope()
                tasks.start_soon(create, number, mine)
                await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            door.open()

    assert sorted(reply["id"] for reply in replies) == [10, 11, 13]
    assert [row["id"] for row in await all_of(items)] == [1, 2, 3, 4, 10, 11, 13]
