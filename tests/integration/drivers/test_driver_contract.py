"""What every driver promises: one suite for both databases, on both event loops."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint
from msgspec.structs import replace

from dataflow.drivers import (
    GRACE_S,
    Bridge,
    Connection,
    Driver,
    RowStream,
    connect,
    open_bridge,
    parse_url,
)
from dataflow.errors import (
    ClosedError,
    ConstraintError,
    DriverError,
    DuplicateKeyError,
    ForeignKeyError,
    OutOfRangeError,
    QueryError,
    StoredValueError,
)
from dataflow.sql import POSTGRESQL, Statement

CANARY = "sEcReT-canary"
"""A value that must not turn up in the text of an error."""

SCHEMA = (
    "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    """CREATE TABLE books (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        year INTEGER CHECK (year > 0),
        author INTEGER REFERENCES authors,
        UNIQUE (title, year)
    )""",
)


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield


@pytest.fixture
async def library(driver: Driver) -> Driver:
    """Give a driver on a database with tables."""
    async with driver.acquire() as connection:
        await connection.run([Statement(text) for text in SCHEMA])
    return driver


def sql(
    driver: Driver,
    text: str,
    *values: object,
    returns_rows: bool = False,
    many: bool = False,
) -> Statement:
    """Write a statement with ``?`` for the next placeholder."""
    head, *tails = text.split("?")
    parts = [f"{driver.dialect.place(i + 1)}{tail}" for i, tail in enumerate(tails)]
    text = head + "".join(parts)
    return Statement(text, values, returns_rows=returns_rows, many=many)


def query(driver: Driver, text: str, *values: object) -> Statement:
    return sql(driver, text, *values, returns_rows=True)


def insert(driver: Driver, *names: str) -> list[Statement]:
    return [
        sql(driver, "INSERT INTO authors VALUES (?, ?)", i, name)
        for i, name in enumerate(names, 1)
    ]


def insert_many(driver: Driver, count: int) -> Statement:
    text = sql(driver, "INSERT INTO authors VALUES (?, ?)").text
    return Statement(text, [(i, f"name {i}") for i in range(count)], many=True)


def endless(driver: Driver) -> Statement:
    """A statement that does not end by itself within the time of a test."""
    if driver.dialect is POSTGRESQL:
        return Statement("SELECT pg_sleep(3600)", returns_rows=True)
    return Statement(
        """WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
        SELECT count(*) FROM c""",
        returns_rows=True,
    )


async def one(connection: Connection, statement: Statement) -> list[tuple[Any, ...]]:
    (result,) = await connection.run([statement])
    return [tuple(row) for row in result.rows]


async def names(driver: Driver) -> list[str]:
    async with driver.acquire(write=False) as connection:
        rows = await one(
            connection, query(driver, "SELECT name FROM authors ORDER BY id")
        )
    return [name for (name,) in rows]


async def is_in_order(driver: Driver) -> bool:
    """Whether nothing is leased or queued, and the database takes a write at once."""
    before = driver.statistics()
    with anyio.fail_after(10):
        async with driver.acquire() as connection, connection.transaction():
            await connection.run([Statement("CREATE TABLE proof (id INTEGER)")])
            await connection.run([Statement("DROP TABLE proof")])
    return (before.in_use, before.waiting) == (0, 0)


# -- run ------------------------------------------------------------------------


async def test_a_connection_is_made_when_it_is_first_needed(driver: Driver) -> None:
    before = driver.statistics()
    async with driver.acquire():
        during = driver.statistics()

    assert (before.open, before.in_use) == (0, 0)
    assert (during.open, during.idle, during.in_use) == (1, 0, 1)
    assert (driver.statistics().idle, driver.statistics().in_use) == (1, 0)


async def test_rows_come_with_their_count_and_columns(library: Driver) -> None:
    async with library.acquire() as connection:
        await connection.run(insert(library, "Ada", "Bob"))
        (result,) = await connection.run(
            [query(library, "SELECT id, name AS who FROM authors ORDER BY id")]
        )

    assert [tuple(row) for row in result.rows] == [(1, "Ada"), (2, "Bob")]
    assert (result.count, result.columns) == (2, ("id", "who"))


@pytest.mark.parametrize("count", [0, 1, 1_000, 2_500])
async def test_rows_are_decoded_on_the_way(count: int, library: Driver) -> None:
    def decode(rows: Sequence[Any]) -> list[dict[str, Any]]:
        return [{"id": row[0]} for row in rows]

    select = query(library, "SELECT * FROM authors ORDER BY id")
    async with library.acquire() as connection:
        await connection.run([insert_many(library, count)])
        (result,) = await connection.run([replace(select, decode=decode)])

    assert result.count == count
    assert result.rows == [{"id": number} for number in range(count)]


async def test_a_result_of_more_than_64_bits_is_out_of_range(library: Driver) -> None:
    text = "SELECT abs(least) FROM (SELECT -9223372036854775807 - 1 AS least) AS t"
    async with library.acquire() as connection:
        with pytest.raises(OutOfRangeError) as caught:
            await connection.run([query(library, text)])

    error = caught.value
    assert error.fields == ()
    assert str(error) == f"{error.message} [{error.code}]"
    assert "9223372036854775808" not in str(error)
    assert not error.retryable


async def test_rows_that_cannot_be_decoded_leave_a_usable_connection(
    library: Driver,
) -> None:
    def decode(rows: Sequence[Any]) -> list[Any]:
        raise StoredValueError(model="Author", field="name", expected=str(len(rows)))

    select = query(library, "SELECT * FROM authors")
    async with library.acquire() as connection:
        await connection.run([insert_many(library, 2_500)])
        with pytest.raises(StoredValueError):
            await connection.run([replace(select, decode=decode)])
        with pytest.raises(StoredValueError):
            async with connection.transaction():
                await connection.run([replace(select, decode=decode)])
        (result,) = await connection.run([select])

    assert result.count == 2_500


async def test_columns_are_named_where_there_are_no_rows(library: Driver) -> None:
    async with library.acquire() as connection:
        results = await connection.run(
            [
                query(library, "SELECT * FROM authors"),
                sql(library, "SELECT * FROM authors", many=True, returns_rows=True),
            ]
        )

    assert [result.rows for result in results] == [[], []]
    assert results[0].columns == ("id", "name")


async def test_changed_rows_are_counted(library: Driver) -> None:
    changes = [
        "INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob')",
        "UPDATE authors SET name = 'Eve' WHERE id = 7",
        "UPDATE authors SET name = 'Eve'",
        """WITH x AS (SELECT 1 AS id) UPDATE authors SET name = 'Ada'
        WHERE id IN (SELECT id FROM x)""",
        "UPDATE authors SET name = 'Eve' RETURNING id",
        "DELETE FROM authors WHERE id = 1",
        "CREATE TABLE other (id INTEGER)",
        "SELECT * FROM authors",
    ]
    async with library.acquire() as connection:
        results = await connection.run([Statement(text) for text in changes])
        (alone,) = await connection.run([Statement("DELETE FROM authors")])

    assert [result.count for result in results] == [2, 0, 2, 1, 2, 1, 0, 1]
    assert [len(result.rows) for result in results] == [0] * 8
    assert alone.count == 1


async def test_changed_rows_are_counted_where_rows_were_wanted_in_vain(
    library: Driver,
) -> None:
    keys = [(1,), (1,), (2,)]
    text = sql(
        library, "INSERT INTO authors VALUES (?, 'x') ON CONFLICT DO NOTHING"
    ).text
    async with library.acquire() as connection:
        results = await connection.run(
            [
                Statement(text, keys, many=True, returns_rows=True),
                query(library, "UPDATE authors SET name = 'y'"),
                query(library, "CREATE TABLE other (id INTEGER)"),
                query(library, "SELECT * FROM other"),
            ]
        )

    assert [result.count for result in results] == [2, 2, 0, 0]
    assert [len(result.rows) for result in results] == [0] * 4
    assert [result.columns for result in results] == [(), (), (), ("id",)]


async def test_many_executions_are_one_statement(library: Driver) -> None:
    async with library.acquire() as connection:
        inserted, *_ = await connection.run([insert_many(library, 2500)])
        ids = [(1,), (9999,), (2,)]
        text = sql(library, "SELECT id, name FROM authors WHERE id = ?").text
        (found,) = await connection.run(
            [Statement(text, ids, many=True, returns_rows=True)]
        )
        text = sql(library, "DELETE FROM authors WHERE id = ?").text
        (deleted,) = await connection.run([Statement(text, ids, many=True)])

    assert inserted.count == 2500
    assert [tuple(row) for row in found.rows] == [(1, "name 1"), (2, "name 2")]
    assert (found.count, found.columns) == (2, ("id", "name"))
    assert deleted.count == 2


async def test_many_executions_count_what_they_change(library: Driver) -> None:
    keys = [(1,), (1,), (2,)]
    skipping = "INSERT INTO authors VALUES (?, 'x') ON CONFLICT DO NOTHING"
    indirect = (
        "WITH x AS (SELECT 1) UPDATE authors SET name = 'y'"
        " WHERE id = ? AND 1 IN (SELECT * FROM x)"
    )
    returning = "UPDATE authors SET name = 'z' WHERE id = ? RETURNING id"
    async with library.acquire() as connection:
        results = await connection.run(
            [
                Statement(sql(library, text).text, keys, many=True)
                for text in (skipping, indirect, returning)
            ]
        )
        none = await connection.run([Statement(SCHEMA[0], [], many=True)])

    assert [result.count for result in results] == [2, 3, 3]
    assert none[0].count == 0


async def test_many_executions_are_all_or_nothing(library: Driver) -> None:
    text = sql(library, "INSERT INTO authors VALUES (?, ?)").text
    rows = [(1, "Ada"), (2, "Bob"), (1, "Eve"), (3, "Dan")]
    async with library.acquire() as connection:
        with pytest.raises(DuplicateKeyError):
            await connection.run([Statement(text, rows, many=True)])

    assert await names(library) == []


async def test_statements_of_one_run_are_all_or_nothing(library: Driver) -> None:
    async with library.acquire() as connection:
        with pytest.raises(DuplicateKeyError):
            await connection.run([*insert(library, "Ada"), *insert(library, "Bob")])

    assert await names(library) == []
    assert await is_in_order(library)


async def test_a_run_of_nothing_gives_nothing(driver: Driver) -> None:
    async with driver.acquire() as connection:
        assert await connection.run([]) == []


async def test_one_text_is_one_statement(library: Driver) -> None:
    text = "DELETE FROM authors; DELETE FROM books"
    async with library.acquire() as connection:
        for wanted in (False, True):
            with pytest.raises(QueryError):
                await connection.run([Statement(text, returns_rows=wanted)])


async def test_a_reader_sees_what_was_committed(library: Driver) -> None:
    async with library.acquire() as connection, connection.transaction():
        await connection.run(insert(library, "Ada"))
        during = await names(library)

    assert during == []
    assert await names(library) == ["Ada"]


async def test_a_statement_survives_a_change_of_its_table(library: Driver) -> None:
    everything = query(library, "SELECT * FROM authors")
    async with library.acquire() as connection:
        await connection.run(insert(library, "Ada"))
        before = await one(connection, everything)
        await connection.run([Statement("ALTER TABLE authors ADD COLUMN age INTEGER")])
        after = await one(connection, everything)

    assert (before, after) == ([(1, "Ada")], [(1, "Ada", None)])


# -- run_apart --------------------------------------------------------------------


async def test_a_group_that_fails_leaves_the_others(library: Driver) -> None:
    ada, bob, eve = insert(library, "Ada", "Bob", "Eve")
    async with library.acquire() as connection:
        outcomes = await connection.run_apart([[ada], [ada], [bob], [ada], [eve]])

    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [list, DuplicateKeyError, list, DuplicateKeyError, list]
    assert await names(library) == ["Ada", "Bob", "Eve"]
    assert await is_in_order(library)


async def test_a_group_of_several_statements_is_all_or_nothing(
    library: Driver,
) -> None:
    ada, bob, eve, dan = insert(library, "Ada", "Bob", "Eve", "Dan")
    text = sql(library, "INSERT INTO authors VALUES (?, ?)").text
    many = Statement(text, [(5, "Fay"), (1, "Gus")], many=True)
    async with library.acquire() as connection:
        outcomes = await connection.run_apart([[ada, bob], [eve, ada], [many], [dan]])

    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [list, DuplicateKeyError, DuplicateKeyError, list]
    assert await names(library) == ["Ada", "Bob", "Dan"]


async def test_groups_see_each_other_and_answer_in_order(library: Driver) -> None:
    texts = ("SELECT count(*) FROM authors", "SELECT max(id) FROM authors")
    count, highest = (query(library, text) for text in texts)
    ada, bob = insert(library, "Ada", "Bob")
    async with library.acquire() as connection:
        outcomes = await connection.run_apart(
            [[count], [ada], [count, highest], [], [bob, highest], [count]]
        )

    rows: list[list[list[tuple[Any, ...]]]] = [
        [[tuple(row) for row in result.rows] for result in outcome]
        for outcome in outcomes
        if not isinstance(outcome, DriverError)
    ]
    assert rows == [[[(0,)]], [[]], [[(1,)], [(1,)]], [], [[], [(2,)]], [[(2,)]]]


async def test_no_groups_are_no_work(driver: Driver) -> None:
    async with driver.acquire() as connection:
        assert await connection.run_apart([]) == []
    assert await is_in_order(driver)


async def test_groups_read_where_only_reading_is_promised(ten: Driver) -> None:
    async with ten.acquire(write=False) as connection:
        outcomes = await connection.run_apart(
            [[query(ten, "SELECT * FROM nowhere")], [query(ten, "SELECT 1")]]
        )

    assert [type(outcome) for outcome in outcomes] == [QueryError, list]


async def test_groups_are_refused_inside_a_transaction(library: Driver) -> None:
    (ada,) = insert(library, "Ada")
    async with library.acquire() as connection:
        async with connection.transaction():
            with pytest.raises(RuntimeError, match="outside of transactions"):
                await connection.run_apart([[ada]])
        await connection.run_apart([[ada]])

    assert await names(library) == ["Ada"]


async def test_groups_close_the_stream_before_them(ten: Driver) -> None:
    async with ten.acquire() as connection:
        stream = stream_all(ten, connection, 4)
        await anext(stream)
        text = "DELETE FROM authors WHERE id > 0"
        await connection.run_apart([[Statement(text)]])
        with pytest.raises(ClosedError):
            await anext(stream)

    assert await names(ten) == ["name 0"]


async def test_groups_that_are_cancelled_leave_nothing_half_done(
    library: Driver,
) -> None:
    ada, bob = insert(library, "Ada", "Bob")
    with anyio.move_on_after(0.1) as scope:
        async with library.acquire() as connection:
            await connection.run_apart([[ada], [bob, endless(library)]])

    assert scope.cancelled_caught
    assert await is_in_order(library)
    # PostgreSQL commits each group by itself.
    kept = ["Ada"] if library.dialect is POSTGRESQL else []
    assert await names(library) == kept


async def test_what_fails_at_the_commit_fails_its_group_or_undoes_all(
    library: Driver,
) -> None:
    ada, bob = insert(library, "Ada", "Bob")
    orphan = sql(library, "INSERT INTO letters VALUES (?)", 77)
    async with library.acquire() as connection:
        await connection.run(
            [
                Statement(
                    "CREATE TABLE letters (author INTEGER REFERENCES authors "
                    "DEFERRABLE INITIALLY DEFERRED)"
                )
            ]
        )
        if library.dialect is POSTGRESQL:
            outcomes = await connection.run_apart([[ada], [orphan], [bob]])
            assert [type(each) for each in outcomes] == [list, ForeignKeyError, list]
        else:
            with pytest.raises(ConstraintError):
                await connection.run_apart([[ada], [orphan], [bob]])

    kept = ["Ada", "Bob"] if library.dialect is POSTGRESQL else []
    assert await names(library) == kept
    assert await is_in_order(library)


async def test_a_statement_that_ends_the_transaction_undoes_all_groups(
    library: Driver,
) -> None:
    """SQLite's ``OR ROLLBACK``; PostgreSQL has no such thing."""
    if library.dialect is POSTGRESQL:
        return
    ada, bob = insert(library, "Ada", "Bob")
    text = "INSERT OR ROLLBACK INTO authors VALUES (1, 'Eve')"
    async with library.acquire() as connection:
        with pytest.raises(DuplicateKeyError):
            await connection.run_apart([[ada], [Statement(text)], [bob]])

    assert await names(library) == []
    assert await is_in_order(library)


async def test_every_statement_of_a_group_is_reported(
    database_url: str, bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")
    driver = connect(parse_url(database_url), bridge, echo=True)
    one = query(driver, "SELECT 1")
    async with driver.acquire() as connection:
        await connection.run_apart([[one], [one, query(driver, "SELECT 2")]])
    await driver.aclose()

    events = [each.getMessage() for each in caplog.records]
    reported = [event for event in events if "statement_run" in event]
    assert ["SELECT 1" in event for event in reported] == [True, True, False]
    assert "SELECT 2" in reported[2]


# -- transactions ---------------------------------------------------------------


async def test_a_transaction_commits_at_its_end(library: Driver) -> None:
    async with library.acquire() as connection:
        async with connection.transaction():
            for statement in insert(library, "Ada", "Bob"):
                await connection.run([statement])

        assert await names(library) == ["Ada", "Bob"]


async def fail_after(connection: Connection, *statements: Statement) -> None:
    """Run *statements* in a transaction whose block then raises."""
    async with connection.transaction():
        await connection.run(statements)
        raise ZeroDivisionError


async def test_an_exception_rolls_a_transaction_back(library: Driver) -> None:
    async with library.acquire() as connection:
        with pytest.raises(ZeroDivisionError):
            await fail_after(connection, *insert(library, "Ada"))

        assert await names(library) == []
    assert await is_in_order(library)


async def test_a_transaction_inside_another_is_a_savepoint(library: Driver) -> None:
    ada, bob, eve = insert(library, "Ada", "Bob", "Eve")
    async with library.acquire() as connection, connection.transaction():
        await connection.run([ada])
        async with connection.transaction():
            await connection.run([bob])
            with pytest.raises(ZeroDivisionError):
                await fail_after(connection, eve)

    assert await names(library) == ["Ada", "Bob"]


async def test_a_savepoint_confines_an_error(library: Driver) -> None:
    (ada,) = insert(library, "Ada")
    async with library.acquire() as connection, connection.transaction():
        await connection.run([ada])
        with pytest.raises(DuplicateKeyError):
            async with connection.transaction():
                await connection.run([ada])
        rows = await one(connection, query(library, "SELECT name FROM authors"))

    assert rows == [("Ada",)]
    assert await names(library) == ["Ada"]


async def go_on_after_an_error(driver: Driver, connection: Connection) -> None:
    ada, bob = insert(driver, "Ada", "Bob")
    async with connection.transaction():
        await connection.run([ada])
        with pytest.raises(DuplicateKeyError):
            await connection.run([ada])
        with pytest.raises(DriverError, match="earlier statement") as refused:
            await connection.run([bob])
        assert refused.value.code == "25P02"
        with pytest.raises(DriverError, match="earlier statement"):
            await fail_after(connection)
        with pytest.raises(DriverError, match="earlier statement"):
            await anext(connection.stream(query(driver, "SELECT 1")))


async def test_a_failed_transaction_takes_no_statement_and_no_commit(
    library: Driver,
) -> None:
    async with library.acquire() as connection:
        with pytest.raises(DriverError, match="rolled back") as caught:
            await go_on_after_an_error(library, connection)

    assert caught.value.code == "25P02"
    assert await names(library) == []
    assert await is_in_order(library)


async def test_a_snapshot_does_not_see_what_others_commit(library: Driver) -> None:
    everybody = query(library, "SELECT name FROM authors")
    async with library.acquire(write=False) as reader:
        async with reader.snapshot():
            before = await one(reader, everybody)
            async with library.acquire() as writer:
                await writer.run(insert(library, "Ada"))
            during = await one(reader, everybody)
        after = await one(reader, everybody)

    assert (before, during, after) == ([], [], [("Ada",)])
    assert await is_in_order(library)


async def test_a_snapshot_has_savepoints_and_is_in_none(library: Driver) -> None:
    async with library.acquire(write=False) as reader:
        async with reader.snapshot():
            with pytest.raises(QueryError):
                async with reader.transaction():
                    await reader.run([query(library, "SELECT * FROM nowhere")])
            assert await one(reader, query(library, "SELECT 1")) == [(1,)]
            with pytest.raises(RuntimeError, match="outside of transactions"):
                async with reader.snapshot():
                    pass
        assert await one(reader, query(library, "SELECT 2")) == [(2,)]


async def look_in_vain(driver: Driver, reader: Connection) -> None:
    """Go on in a snapshot in which a statement failed."""
    async with reader.snapshot():
        with suppress(QueryError):
            await reader.run([query(driver, "SELECT * FROM nowhere")])


async def test_an_exception_ends_a_snapshot(library: Driver) -> None:
    async with library.acquire(write=False) as reader:
        with pytest.raises(QueryError):
            async with reader.snapshot():
                await reader.run([query(library, "SELECT * FROM nowhere")])
        with pytest.raises(DriverError, match="rolled back"):
            await look_in_vain(library, reader)
        assert await one(reader, query(library, "SELECT 1")) == [(1,)]

    assert await is_in_order(library)


async def test_a_cancellation_leaves_no_snapshot_open(library: Driver) -> None:
    async with library.acquire(write=False) as reader:
        with anyio.CancelScope() as scope:
            async with reader.snapshot():
                await one(reader, query(library, "SELECT 1"))
                scope.cancel()
        with anyio.move_on_after(0.05) as late:
            async with reader.snapshot():
                await reader.run([endless(library)])
        rows = await one(reader, query(library, "SELECT 1"))

    assert late.cancelled_caught
    assert rows == [(1,)]
    assert await is_in_order(library)


async def test_a_lease_leaves_no_transaction_behind(library: Driver) -> None:
    async with library.acquire() as connection:
        await connection.transaction().__aenter__()
        await connection.run(insert(library, "Ada"))
    async with library.acquire() as connection:
        await connection.run([Statement("BEGIN")])
        await connection.run(insert(library, "Bob"))

    assert await names(library) == []
    assert await is_in_order(library)


# -- streams --------------------------------------------------------------------


@pytest.fixture
async def ten(library: Driver) -> Driver:
    """Give a driver on a table with ten rows."""
    async with library.acquire() as connection:
        await connection.run([insert_many(library, 10)])
    return library


def stream_all(driver: Driver, connection: Connection, batch: int) -> RowStream:
    statement = query(driver, "SELECT id FROM authors WHERE id >= ? ORDER BY id", 0)
    return connection.stream(statement, batch=batch)


async def test_a_stream_yields_batches_and_a_short_last_one(ten: Driver) -> None:
    async with ten.acquire(write=False) as connection:
        batches = [
            [row[0] for row in batch] async for batch in stream_all(ten, connection, 4)
        ]
        sizes = [len(batch) async for batch in stream_all(ten, connection, 5)]

    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert sizes == [5, 5]
    assert await is_in_order(ten)


async def test_a_stream_of_nothing_is_empty(library: Driver) -> None:
    async with library.acquire() as connection:
        assert [batch async for batch in stream_all(library, connection, 4)] == []


async def test_a_stream_that_is_over_stays_over(ten: Driver) -> None:
    async with ten.acquire() as connection:
        stream = stream_all(ten, connection, 100)
        first = await anext(stream)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        await stream.aclose()
        unused = stream_all(ten, connection, 100)
        await unused.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(unused)

    assert len(first) == 10


@pytest.mark.parametrize("write", [True, False])
async def test_a_stream_closed_early_frees_its_connection(
    ten: Driver, *, write: bool
) -> None:
    async with ten.acquire(write=write) as connection:
        async with stream_all(ten, connection, 3) as stream:
            async for _ in stream:
                break
        rows = await one(connection, query(ten, "SELECT count(*) FROM authors"))

    assert rows == [(10,)]
    assert await is_in_order(ten)


async def test_a_stream_left_open_ends_with_its_lease(ten: Driver) -> None:
    async with ten.acquire() as connection:
        stream = stream_all(ten, connection, 3)
        await anext(stream)

    with pytest.raises(ClosedError):
        await anext(stream)
    assert await is_in_order(ten)


async def test_other_use_of_the_connection_closes_its_stream(ten: Driver) -> None:
    async def run(connection: Connection) -> None:
        await connection.run([query(ten, "SELECT 1")])

    async def begin(connection: Connection) -> None:
        async with connection.transaction():
            pass

    async def stream_again(connection: Connection) -> None:
        await anext(stream_all(ten, connection, 20))

    async with ten.acquire() as connection:
        for use in (run, begin, stream_again):
            stream = stream_all(ten, connection, 3)
            await anext(stream)
            await use(connection)
            with pytest.raises(ClosedError):
                await anext(stream)


async def test_streams_and_statements_share_a_transaction(ten: Driver) -> None:
    async with ten.acquire() as connection, connection.transaction():
        seen: list[int] = []
        other = stream_all(ten, connection, 7)
        await anext(other)
        async for batch in stream_all(ten, connection, 3):
            seen.extend(row[0] for row in batch)
            await connection.run([query(ten, "SELECT 1")])
        last = await anext(other)
        left = stream_all(ten, connection, 2)
        await anext(left)
        async with stream_all(ten, connection, 2) as closed:
            await anext(closed)

    assert seen == list(range(10))
    assert len(last) == 3
    with pytest.raises(ClosedError):
        await anext(left)
    assert await is_in_order(ten)


async def start_and_fail(connection: Connection, stream: RowStream) -> None:
    async with connection.transaction():
        await anext(stream)
        raise ZeroDivisionError


async def test_a_rolled_back_level_ends_the_streams_opened_in_it(ten: Driver) -> None:
    async with ten.acquire() as connection, connection.transaction():
        outer = stream_all(ten, connection, 3)
        await anext(outer)
        inner = stream_all(ten, connection, 3)
        with pytest.raises(ZeroDivisionError):
            await start_and_fail(connection, inner)
        with pytest.raises(ClosedError):
            await anext(inner)


async def test_what_a_stream_writes_is_kept_only_if_read_to_the_end(
    library: Driver,
) -> None:
    text = "INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Eve') RETURNING id"
    statement = Statement(text, returns_rows=True)
    async with library.acquire() as connection:
        async with connection.stream(statement, batch=2) as stream:
            await anext(stream)
        before = await names(library)
        read = [len(batch) async for batch in connection.stream(statement, batch=2)]

    assert before == []
    assert read == [2, 1]
    assert await names(library) == ["Ada", "Bob", "Eve"]


async def test_a_stream_reports_what_the_database_refuses(library: Driver) -> None:
    async with library.acquire() as connection:
        for text in ("SELECT * FROM nowhere", "SELECT FROM WHERE"):
            with pytest.raises(QueryError):
                await anext(connection.stream(query(library, text)))
        async with connection.transaction():
            with pytest.raises(QueryError):
                async with connection.transaction():
                    await anext(connection.stream(query(library, "SELECT nothing")))
        with pytest.raises(ValueError, match="at least one row"):
            connection.stream(query(library, "SELECT 1"), batch=0)

    assert await is_in_order(library)


# -- what the database refuses ----------------------------------------------------


REFUSALS = [
    pytest.param(
        "INSERT INTO authors VALUES (1, ?)", "unique", "authors", ("id",), id="key"
    ),
    pytest.param(
        "INSERT INTO books VALUES (2, ?, 1815, NULL)",
        "unique",
        "books",
        ("title", "year"),
        id="unique",
    ),
    pytest.param(
        "INSERT INTO authors VALUES (length(?), NULL)",
        "not_null",
        "authors",
        ("name",),
        id="not_null",
    ),
    pytest.param(
        "UPDATE books SET title = ?, year = -1", "check", "books", (), id="check"
    ),
    pytest.param(
        "INSERT INTO books VALUES (2, ?, 1, 9)",
        "foreign_key",
        "books",
        None,
        id="foreign_key",
    ),
]


@pytest.mark.parametrize(("text", "kind", "table", "fields"), REFUSALS)
async def test_a_broken_rule_is_named_and_the_value_is_not(
    library: Driver, text: str, kind: str, table: str, fields: tuple[str, ...] | None
) -> None:
    async with library.acquire() as connection:
        await connection.run(
            [
                sql(library, "INSERT INTO authors VALUES (1, ?)", CANARY),
                sql(library, "INSERT INTO books VALUES (1, ?, 1815, 1)", CANARY),
            ]
        )
        with pytest.raises(ConstraintError) as caught:
            await connection.run([sql(library, text, CANARY)])

    error = caught.value
    assert (error.kind, error.table) == (kind, table)
    assert isinstance(error, DuplicateKeyError) == (kind == "unique")
    # SQLite does not say the columns of a foreign key.
    assert error.fields == fields or (
        fields is None and error.fields in ((), ("author",))
    )
    assert CANARY not in "".join(traceback.format_exception(error))
    assert error.__cause__ is not None
    assert not error.retryable
    assert await is_in_order(library)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("SELECT * FROM nowhere", id="table"),
        pytest.param("SELECT nothing FROM authors", id="column"),
        pytest.param("SELEKT 1", id="syntax"),
        pytest.param("SELECT * FROM authors WHERE id = ?", id="missing-parameter"),
        pytest.param("CREATE TABLE authors (id INTEGER)", id="exists"),
    ],
)
async def test_a_bad_statement_is_a_query_error(library: Driver, text: str) -> None:
    async with library.acquire() as connection:
        for wanted in (False, True):
            with pytest.raises(QueryError):
                await connection.run([sql(library, text, returns_rows=wanted)])


@pytest.mark.parametrize("value", [[CANARY], {CANARY}, 2**63, f"{CANARY}\ud800"])
async def test_a_parameter_that_does_not_fit_is_refused_unsaid(
    library: Driver, value: object
) -> None:
    text = "INSERT INTO authors VALUES (?, ?)"
    key = value if isinstance(value, int) else 1
    async with library.acquire() as connection:
        with pytest.raises(DriverError, match="does not fit") as caught:
            await connection.run([sql(library, text, key, value)])

    assert not isinstance(caught.value, QueryError)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert await is_in_order(library)


# -- cancellation -----------------------------------------------------------------


async def run_endless(driver: Driver, connection: Connection) -> None:
    await connection.run([endless(driver)])


async def run_endless_with_others(driver: Driver, connection: Connection) -> None:
    await connection.run([*insert(driver, "Ada"), endless(driver)])


async def run_endless_in_transaction(driver: Driver, connection: Connection) -> None:
    async with connection.transaction():
        await connection.run(insert(driver, "Ada"))
        async with connection.transaction():
            await connection.run([endless(driver)])


async def sleep_in_transaction(driver: Driver, connection: Connection) -> None:
    async with connection.transaction():
        await connection.run(insert(driver, "Ada"))
        await anyio.sleep_forever()


async def stream_endless(driver: Driver, connection: Connection) -> None:
    async for _ in connection.stream(endless(driver)):
        pass


async def sleep_in_stream(driver: Driver, connection: Connection) -> None:
    await connection.run(insert(driver))
    async for _ in connection.stream(query(driver, "SELECT 1 UNION SELECT 2"), batch=1):
        await anyio.sleep_forever()


@pytest.mark.parametrize(
    "work",
    [
        run_endless,
        run_endless_with_others,
        run_endless_in_transaction,
        sleep_in_transaction,
        stream_endless,
        sleep_in_stream,
    ],
)
async def test_a_cancellation_leaves_nothing_behind(
    library: Driver, work: Callable[[Driver, Connection], Any]
) -> None:
    started = anyio.current_time()
    with anyio.move_on_after(0.1) as scope:
        async with library.acquire() as connection:
            await work(library, connection)

    assert scope.cancelled_caught
    assert anyio.current_time() - started < GRACE_S
    assert await is_in_order(library)
    assert await names(library) == []


async def test_a_connection_is_of_use_after_a_cancellation(library: Driver) -> None:
    async with library.acquire() as connection:
        with anyio.move_on_after(0.05) as scope:
            await connection.run([endless(library)])
        rows = await one(connection, query(library, "SELECT 1"))

    assert scope.cancelled_caught
    assert rows == [(1,)]


async def go_on_after_a_cancellation(driver: Driver, connection: Connection) -> None:
    async with connection.transaction():
        await connection.run(insert(driver, "Ada"))
        with anyio.move_on_after(0.05):
            await connection.run([endless(driver)])


async def test_a_cancelled_transaction_is_over_for_its_body(library: Driver) -> None:
    async with library.acquire() as connection:
        with pytest.raises(DriverError, match="rolled back"):
            await go_on_after_a_cancellation(library, connection)

    assert await names(library) == []


async def test_a_commit_is_done_or_not_at_all_when_cancelled(library: Driver) -> None:
    with anyio.CancelScope() as scope:
        async with library.acquire() as connection, connection.transaction():
            await connection.run(insert(library, "Ada", "Bob"))
            scope.cancel()

    assert await is_in_order(library)
    assert await names(library) in ([], ["Ada", "Bob"])


async def add_two(driver: Driver) -> None:
    async with driver.acquire() as connection:
        await connection.run(insert(driver, "Ada", "Bob"))


async def add_two_in_a_transaction(driver: Driver) -> None:
    async with driver.acquire() as connection, connection.transaction():
        for statement in insert(driver, "Ada", "Bob"):
            await connection.run([statement])


async def add_two_by_stream(driver: Driver) -> None:
    text = "INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob') RETURNING id"
    async with driver.acquire() as connection:
        async for _ in connection.stream(Statement(text, returns_rows=True), batch=1):
            pass


@pytest.mark.parametrize("add", [add_two, add_two_in_a_transaction, add_two_by_stream])
async def test_a_cancellation_at_any_step_leaves_all_or_nothing(
    library: Driver, add: Callable[[Driver], Any]
) -> None:
    outcomes: list[list[str]] = []
    for steps in range(40):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(add, library)
            for _ in range(steps):
                await checkpoint()
            tasks.cancel_scope.cancel()

        assert await is_in_order(library)
        outcomes.append(await names(library))
        async with library.acquire() as connection:
            await connection.run([Statement("DELETE FROM authors")])

    assert all(outcome in ([], ["Ada", "Bob"]) for outcome in outcomes)


# -- the pool ---------------------------------------------------------------------


@pytest.fixture
async def single(database_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver with one connection to write."""
    driver = connect(parse_url(database_url), bridge, pool_size=1)
    yield driver
    await driver.aclose()


async def hold(
    driver: Driver, release: anyio.Event, *, task_status: TaskStatus[None]
) -> None:
    async with driver.acquire():
        task_status.started()
        await release.wait()


async def test_who_waits_is_served_in_order(single: Driver) -> None:
    served: list[int] = []
    waiting = 0

    async def use(number: int) -> None:
        async with single.acquire() as connection:
            served.append(number)
            await connection.run([query(single, "SELECT 1")])

    async with anyio.create_task_group() as tasks, single.acquire():
        for number in range(5):
            tasks.start_soon(use, number)
            await anyio.wait_all_tasks_blocked()
        waiting = single.statistics().waiting

    assert (waiting, served) == (5, [0, 1, 2, 3, 4])
    assert single.statistics().open == 1


async def test_a_cancelled_waiter_loses_nothing(single: Driver) -> None:
    release, scope = anyio.Event(), anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        await tasks.start(hold, single, release)
        scope.deadline = anyio.current_time() + 0.01
        with scope:
            async with single.acquire():
                raise AssertionError
        release.set()

    assert scope.cancelled_caught
    assert await is_in_order(single)


async def test_a_waiter_cancelled_as_it_is_served_passes_it_on(single: Driver) -> None:
    served: list[str] = []

    async def wait(scope: anyio.CancelScope, name: str) -> None:
        with scope:
            async with single.acquire():
                served.append(name)

    first, second = anyio.CancelScope(), anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        async with single.acquire():
            tasks.start_soon(wait, first, "first")
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(wait, second, "second")
            await anyio.wait_all_tasks_blocked()
        first.cancel()  # it was granted the connection, and has not run since

    assert "second" in served
    assert await is_in_order(single)


async def test_closing_fails_whoever_waits(single: Driver) -> None:
    release, failures = anyio.Event(), 0

    async def wait() -> None:
        nonlocal failures
        with pytest.raises(ClosedError):
            await enter(single.acquire())
        failures += 1

    async with anyio.create_task_group() as tasks:
        await tasks.start(hold, single, release)
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(single.aclose)
        await anyio.wait_all_tasks_blocked()
        release.set()

    assert failures == 2
    assert single.statistics().open == 0
    with pytest.raises(ClosedError):
        await enter(single.acquire())


async def enter(lease: AbstractAsyncContextManager[Connection]) -> None:
    async with lease:
        raise AssertionError


async def test_closing_waits_for_leases_and_can_be_repeated(driver: Driver) -> None:
    release, open_meanwhile = anyio.Event(), 0
    async with anyio.create_task_group() as tasks:
        await tasks.start(hold, driver, release)
        tasks.start_soon(driver.aclose)
        await anyio.wait_all_tasks_blocked()
        open_meanwhile = driver.statistics().open
        release.set()
    await driver.aclose()

    assert open_meanwhile == 1
    assert driver.statistics().open == 0


async def test_closing_an_unused_driver_is_fine(driver: Driver) -> None:
    await driver.aclose()

    assert driver.statistics().open == 0


@pytest.mark.slow
async def test_closing_cuts_a_lease_that_does_not_end(library: Driver) -> None:
    async def use() -> None:
        with pytest.raises(DriverError):
            async with library.acquire() as connection:
                await connection.run([endless(library)])

    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
        await anyio.sleep(0.05)
        await library.aclose()
    seconds = anyio.current_time() - started

    assert GRACE_S <= seconds < 2 * GRACE_S
    assert library.statistics().open == 0


async def test_closing_is_not_stopped_by_a_cancellation(driver: Driver) -> None:
    async with driver.acquire():
        pass
    with anyio.CancelScope() as scope:
        scope.cancel()
        await driver.aclose()

    assert driver.statistics().open == 0


async def test_a_pool_holds_at_least_one_connection(
    database_url: str, bridge: Bridge
) -> None:
    with pytest.raises(ValueError, match="at least one connection"):
        connect(parse_url(database_url), bridge, pool_size=0)


# -- reports ----------------------------------------------------------------------


async def test_echo_reports_statements_without_parameters(
    database_url: str, bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")
    driver = connect(parse_url(database_url), bridge, echo=True)
    async with driver.acquire() as connection:
        await connection.run([Statement("CREATE TABLE t (name TEXT)")])
        await connection.run([sql(driver, "INSERT INTO t VALUES (?)", CANARY)] * 2)
        async with connection.transaction():
            await connection.run([query(driver, "SELECT * FROM t")])
    await driver.aclose()

    events = [
        record.getMessage()
        for record in caplog.records
        if record.name == "dataflow.drivers"
    ]
    assert [event.split()[0] for event in events] == ["event='statement_run'"] * 4
    assert "SELECT * FROM t" in events[3]
    assert "rows=2" in events[3]
    assert "duration_s=" in events[3]
    assert CANARY not in "".join(events)


async def test_a_driver_says_what_it_is(driver: Driver, database_url: str) -> None:
    assert driver.url == parse_url(database_url)
    assert driver.dialect is driver.url.dialect
    assert driver.backends == {"asyncio"}


async def test_drivers_work_inside_a_second_bridge(
    driver: Driver, sqlite_url: str
) -> None:
    """On Trio, asyncio's loop seems to run already inside the first one."""
    async with open_bridge() as inner:
        other = connect(parse_url(sqlite_url), inner)
        for each in (driver, other):
            async with each.acquire() as connection:
                (result,) = await connection.run(
                    [Statement("SELECT 1", returns_rows=True)]
                )
                assert result.rows[0][0] == 1
        await other.aclose()
