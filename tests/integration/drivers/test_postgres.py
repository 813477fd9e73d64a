"""What is particular to PostgreSQL: its types, settings and conflicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from dataflow.drivers import GRACE_S, Bridge, Connection, Driver, connect, parse_url
from dataflow.errors import (
    ConnectionLostError,
    ConstraintError,
    DriverError,
    DuplicateKeyError,
    TransactionConflictError,
)
from dataflow.sql import Statement

pytestmark = pytest.mark.postgres

CANARY = "sEcReT-canary"


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield


@pytest.fixture
async def postgres(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new PostgreSQL database."""
    driver = connect(parse_url(postgres_url), bridge, pool_size=4)
    yield driver
    await driver.aclose()


async def run(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run([Statement(text)])


async def value(driver: Driver, text: str, *parameters: object) -> Any:
    statement = Statement(text, parameters, returns_rows=True)
    async with driver.acquire() as connection:
        (result,) = await connection.run([statement])
    return result.rows[0][0]


# -- types ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"a": [1, None, "é"]}, {"a": [1, None, "é"]}),
        ('{"a": 1.5}', {"a": 1.5}),
        (b"[true]", [True]),
        ('"text"', "text"),
        (None, None),
        ([], []),
    ],
)
async def test_json_comes_back_parsed(
    postgres: Driver, kind: str, sent: object, stored: object
) -> None:
    assert await value(postgres, f"SELECT $1::{kind}", sent) == stored


async def test_arrays_come_back_as_lists(postgres: Driver) -> None:
    documents: list[object] = [{"a": 1}, "[2]", None]

    assert await value(postgres, "SELECT $1::int[]", [1, 2, None]) == [1, 2, None]
    assert await value(postgres, "SELECT $1::text[]", ["a", 'b"c']) == ["a", 'b"c']
    assert await value(postgres, "SELECT $1::jsonb[]", documents) == [
        {"a": 1},
        [2],
        None,
    ]
    assert await value(postgres, "SELECT $1::json[]", documents) == [
        {"a": 1},
        [2],
        None,
    ]


async def test_json_of_a_codec_is_streamed_too(postgres: Driver) -> None:
    statement = Statement("SELECT $1::jsonb", ['{"a": 1}'])
    async with postgres.acquire() as connection:
        batches = [
            [row[0] for row in batch] async for batch in connection.stream(statement)
        ]

    assert batches == [[{"a": 1}]]


async def test_malformed_json_is_refused_unsaid(postgres: Driver) -> None:
    with pytest.raises(DriverError) as caught:
        await value(postgres, "SELECT $1::jsonb", f"[{CANARY}]")

    assert caught.value.code == "22P02"
    assert caught.value.message == "a value does not fit: invalid text representation"
    assert CANARY not in f"{caught.value.__cause__}"


async def test_a_session_speaks_utc_and_says_who_it_is(postgres: Driver) -> None:
    moment = await value(postgres, "SELECT '2024-05-06 12:00+02'::timestamptz")

    assert moment == dt.datetime(2024, 5, 6, 10, tzinfo=dt.UTC)
    assert await value(postgres, "SHOW timezone") == "UTC"
    assert await value(postgres, "SHOW application_name") == "dataflow"


async def test_the_url_sets_the_session_up(postgres_url: str, bridge: Bridge) -> None:
    joint = "&" if "?" in postgres_url else "?"
    options = "application_name=mine&search_path=pg_catalog&statement_timeout=50"
    text = f"{postgres_url}{joint}{options}&lock_timeout=70&sslmode=prefer"
    driver = connect(parse_url(text), bridge)
    try:
        assert await value(driver, "SHOW application_name") == "mine"
        assert await value(driver, "SHOW search_path") == "pg_catalog"
        assert await value(driver, "SHOW lock_timeout") == "70ms"
        with pytest.raises(DriverError) as caught:
            await value(driver, "SELECT pg_sleep(60)")
    finally:
        await driver.aclose()

    assert caught.value.code == "57014"
    assert not caught.value.retryable


# -- refusals ---------------------------------------------------------------------


async def test_the_key_of_a_duplicate_is_told_as_it_is_written(
    postgres: Driver,
) -> None:
    await run(
        postgres,
        'CREATE TABLE "T 1" (a TEXT, "B ""b" TEXT, UNIQUE (a, "B ""b"))',
        "CREATE TABLE t2 (a TEXT)",
        "CREATE UNIQUE INDEX ON t2 (lower(a))",
        """INSERT INTO "T 1" VALUES ('x', 'y')""",
        "INSERT INTO t2 VALUES ('x')",
    )
    with pytest.raises(DuplicateKeyError) as plain:
        await run(postgres, """INSERT INTO "T 1" VALUES ('x', 'y')""")
    with pytest.raises(DuplicateKeyError) as expression:
        await run(postgres, "INSERT INTO t2 VALUES ('X')")

    assert (plain.value.table, plain.value.fields) == ("T 1", ("a", 'B "b'))
    assert (expression.value.table, expression.value.fields) == ("t2", ("lower(a)",))


async def test_an_exclusion_is_a_constraint_as_well(postgres: Driver) -> None:
    await run(
        postgres,
        "CREATE TABLE t (r int4range, EXCLUDE USING gist (r WITH &&))",
        "INSERT INTO t VALUES ('[1,5]')",
    )
    with pytest.raises(ConstraintError) as caught:
        await run(postgres, "INSERT INTO t VALUES ('[3,9]')")

    assert (caught.value.kind, caught.value.table) == ("exclusion", "t")
    assert caught.value.fields == ("r",)


async def test_a_deferred_rule_is_broken_at_the_commit(postgres: Driver) -> None:
    await run(postgres, "CREATE TABLE t (a INT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(DuplicateKeyError) as caught:
        async with postgres.acquire() as connection, connection.transaction():
            await connection.run([Statement("INSERT INTO t VALUES (1), (1)")])

    assert caught.value.fields == ("a",)
    assert await value(postgres, "SELECT count(*) FROM t") == 0


async def lock(connection: Connection, key: int) -> None:
    await connection.run([Statement("SELECT pg_advisory_xact_lock($1)", [key])])


async def test_a_deadlock_is_a_conflict(postgres: Driver) -> None:
    outcomes: list[str] = []

    async def work(
        first: int, second: int, mine: anyio.Event, other: anyio.Event
    ) -> None:
        try:
            async with postgres.acquire() as connection, connection.transaction():
                await connection.run([Statement("SET LOCAL deadlock_timeout = '20ms'")])
                await lock(connection, first)
                mine.set()
                await other.wait()
                await lock(connection, second)
        except TransactionConflictError as error:
            outcomes.append(f"{error.code}, retryable: {error.retryable}")
        else:
            outcomes.append("done")

    one, two = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, 1, 2, one, two)
        tasks.start_soon(work, 2, 1, two, one)

    assert sorted(outcomes) == ["40P01, retryable: True", "done"]


async def run_at_once(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        await connection.run([Statement(text) for text in texts])


async def test_a_lock_that_is_not_had_in_time_is_a_conflict(postgres: Driver) -> None:
    await run(postgres, "CREATE TABLE t (a INT)")
    async with postgres.acquire() as holder, holder.transaction():
        await holder.run([Statement("LOCK TABLE t")])
        with pytest.raises(TransactionConflictError) as caught:
            await run_at_once(
                postgres, "SET LOCAL lock_timeout = '10ms'", "DELETE FROM t"
            )

    assert caught.value.code == "55P03"


async def change_what_another_changed(driver: Driver) -> None:
    change = "UPDATE t SET a = a + 1"
    async with driver.acquire() as connection, connection.transaction():
        level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
        await connection.run([Statement(level), Statement("SELECT * FROM t")])
        await run(driver, change)
        await connection.run([Statement(change)])


async def test_a_serialization_failure_is_a_conflict(postgres: Driver) -> None:
    await run(postgres, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
    with pytest.raises(TransactionConflictError) as caught:
        await change_what_another_changed(postgres)

    assert caught.value.code == "40001"


async def test_a_table_changed_in_mid_transaction_is_a_conflict_once(
    postgres: Driver,
) -> None:
    await run(postgres, "CREATE TABLE t (a INT)")
    everything = Statement("SELECT * FROM t", returns_rows=True)
    async with postgres.acquire() as connection:
        await connection.run([everything])
        await run(postgres, "ALTER TABLE t ADD COLUMN b INT")
        with pytest.raises(TransactionConflictError, match="send it again"):
            async with connection.transaction():
                await connection.run([everything])
        async with connection.transaction():
            (result,) = await connection.run([everything])

    assert result.columns == ("a", "b")


async def test_a_run_is_repeated_once_when_a_table_changed_before_it(
    postgres: Driver,
) -> None:
    await run(postgres, "CREATE TABLE t (a INT)")
    everything = Statement("SELECT * FROM t", returns_rows=True)
    insert = Statement("INSERT INTO t VALUES (1)")
    async with postgres.acquire() as connection:
        await connection.run([everything, insert])
        await run(postgres, "ALTER TABLE t ADD COLUMN b INT")
        _, result = await connection.run([insert, everything])

    assert [tuple(row) for row in result.rows] == [(1, None), (1, None)]


async def insert_and_break(connection: Connection) -> None:
    """Fail a statement behind the back of the connection's own accounts."""
    inside: Any = connection
    async with connection.transaction():
        await connection.run([Statement("INSERT INTO t VALUES (1)")])
        with pytest.raises(DriverError):
            await inside._command("SELECT 1 / 0")


async def test_a_transaction_undone_in_raw_sql_does_not_pass_for_committed(
    postgres: Driver,
) -> None:
    await run(postgres, "CREATE TABLE t (a INT)")
    broken = """DO $$ BEGIN RAISE EXCEPTION 'no'; END $$"""
    async with postgres.acquire() as connection:
        with pytest.raises(DriverError, match="no"):
            await connection.run([Statement("BEGIN"), Statement(broken)])
        with pytest.raises(DriverError, match="rolled back") as caught:
            await insert_and_break(connection)

    assert caught.value.code == "25P02"
    assert await value(postgres, "SELECT count(*) FROM t") == 0


# -- cancellation -----------------------------------------------------------------


def slow_commit(seconds: float = 0.3) -> tuple[str, ...]:
    """Return what makes a table whose commits take that long."""
    return (
        "CREATE TABLE t (a INT)",
        f"""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$""",
        """CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()""",
    )


async def insert_slowly(driver: Driver) -> None:
    async with driver.acquire() as connection, connection.transaction():
        await connection.run([Statement("INSERT INTO t VALUES (1)")])


async def test_a_slow_commit_is_waited_for(
    postgres: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(postgres, *slow_commit())
    monkeypatch.setattr("dataflow.drivers._bridge.GRACE_S", 0.05)
    await insert_slowly(postgres)

    assert await value(postgres, "SELECT count(*) FROM t") == 1


async def test_a_cancelled_commit_goes_on(postgres: Driver) -> None:
    await run(postgres, *slow_commit())
    with anyio.move_on_after(0.1) as scope:
        await insert_slowly(postgres)

    assert scope.cancelled_caught
    assert postgres.statistics().in_use == 0
    assert await value(postgres, "SELECT count(*) FROM t") == 1


async def test_a_cancelled_commit_that_lasts_is_cut(
    postgres: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(postgres, *slow_commit(60))
    monkeypatch.setattr("dataflow.drivers._bridge.GRACE_S", 0.05)
    started = anyio.current_time()
    with anyio.move_on_after(0.1) as scope:
        await insert_slowly(postgres)

    assert scope.cancelled_caught
    assert anyio.current_time() - started < 30
    assert postgres.statistics().open == 0
    assert await value(postgres, "SELECT 1") == 1


async def test_a_large_batch_can_be_cancelled_as_it_is_sent(
    postgres: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.drivers._session.GRACE_S", 0.1)
    await run(postgres, "CREATE TABLE t (a INT, b TEXT)")
    rows = [(number, "x" * 1000) for number in range(200_000)]
    insert = Statement("INSERT INTO t VALUES ($1, $2)", rows, many=True)
    started = anyio.current_time()
    with anyio.move_on_after(0.2) as scope:
        async with postgres.acquire() as connection:
            await connection.run([insert])

    assert scope.cancelled_caught
    assert anyio.current_time() - started < GRACE_S
    assert postgres.statistics().in_use == 0
    assert await value(postgres, "SELECT count(*) FROM t") == 0


async def test_a_cut_connection_says_so_to_whoever_still_has_it(
    postgres: Driver,
) -> None:
    async with postgres.acquire() as connection:
        client: Any = connection
        client.terminate()
        with pytest.raises(ConnectionLostError):
            await connection.run([Statement("SELECT 1")])
        with pytest.raises(ConnectionLostError):
            await connection.transaction().__aenter__()

    assert postgres.statistics().open == 0
