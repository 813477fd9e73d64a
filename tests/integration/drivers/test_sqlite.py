"""What is particular to SQLite: its file, its thread, its lock, its functions."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from dataflow.drivers import Bridge, Connection, Driver, connect, parse_url
from dataflow.drivers.sqlite._connection import FEW, SqliteConnection
from dataflow.errors import (
    ConnectionLostError,
    ConstraintError,
    DatabaseUnreachableError,
    DriverError,
    DuplicateKeyError,
    OutOfRangeError,
    QueryError,
    TransactionConflictError,
)
from dataflow.sql import Statement

ENDLESS = Statement(
    """WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
    SELECT count(*) FROM c""",
    returns_rows=True,
)


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield


@pytest.fixture
def path(sqlite_url: str) -> str:
    return parse_url(sqlite_url).database


@pytest.fixture
async def sqlite(sqlite_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new file that waits 50 ms for a lock."""
    driver = connect(parse_url(f"{sqlite_url}?timeout=0.05"), bridge)
    yield driver
    await driver.aclose()


@pytest.fixture
async def memory(bridge: Bridge) -> AsyncIterator[Driver]:
    driver = connect(parse_url(":memory:"), bridge)
    yield driver
    await driver.aclose()


async def run(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run([Statement(text)])


async def value(driver: Driver, text: str, *parameters: object) -> Any:
    statement = Statement(text, parameters, returns_rows=True)
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([statement])
    return result.rows[0][0]


# -- the file ---------------------------------------------------------------------


@pytest.mark.parametrize("write", [True, False])
async def test_a_missing_folder_is_named(
    tmp_path: Path, bridge: Bridge, *, write: bool
) -> None:
    driver = connect(parse_url(f"sqlite:///{tmp_path}/nowhere/app.db"), bridge)
    with pytest.raises(DatabaseUnreachableError) as caught:
        async with driver.acquire(write=write):
            raise AssertionError
    await driver.aclose()

    assert f"the folder {tmp_path}/nowhere does not exist" in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert driver.statistics().open == 0


@pytest.mark.parametrize("content", [None, b"This is no database, but text." * 50])
async def test_what_is_no_database_is_named(
    tmp_path: Path, bridge: Bridge, content: bytes | None
) -> None:
    path = tmp_path / "app.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    driver = connect(parse_url(f"sqlite:///{path}"), bridge)
    with pytest.raises(DatabaseUnreachableError, match=f"cannot open {path}: "):
        await run(driver, "SELECT 1")
    await driver.aclose()


async def test_a_relative_path_is_relative_to_where_one_is(
    tmp_path: Path, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    driver = connect(parse_url("app.db"), bridge)
    await run(driver, "CREATE TABLE t (a)")
    await driver.aclose()

    assert (tmp_path / "app.db").exists()


async def test_a_connection_is_set_up_for_several_readers(sqlite: Driver) -> None:
    assert await value(sqlite, "PRAGMA journal_mode") == "wal"
    assert await value(sqlite, "PRAGMA synchronous") == 1
    assert await value(sqlite, "PRAGMA foreign_keys") == 1


async def test_a_reader_refuses_to_write(sqlite: Driver) -> None:
    await run(sqlite, "CREATE TABLE t (a)")
    async with sqlite.acquire(write=False) as reader:
        with pytest.raises(DriverError) as caught:
            await reader.run([Statement("INSERT INTO t VALUES (1)")])
        async with reader.transaction():
            (result,) = await reader.run([Statement("SELECT 1", returns_rows=True)])

    assert caught.value.code == "SQLITE_READONLY"
    assert result.rows == [(1,)]


async def test_a_short_list_by_an_index_makes_no_hop(sqlite: Driver) -> None:
    thread_of: list[int] = []

    def decode(rows: Sequence[Any]) -> Sequence[Any]:
        thread_of.append(threading.get_ident())
        return rows

    def listed(text: str) -> Statement:
        return Statement(text, (), returns_rows=True, decode=decode, may_be_brief=True)

    numbers = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n)"
    await run(sqlite, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)")
    fill = "INSERT INTO t SELECT x, x FROM n LIMIT 9999"
    await run(sqlite, f"{numbers} {fill}")
    by_key = listed("SELECT * FROM t ORDER BY a LIMIT 3")
    by_scan = listed("SELECT * FROM t ORDER BY b LIMIT 3")
    async with sqlite.acquire(write=False) as reader:
        results = [*await reader.run([by_key]), *await reader.run([by_scan])]
        async with reader.snapshot():
            await reader.run([by_key])

    assert [result.rows for result in results] == [[(1, 1), (2, 2), (3, 3)]] * 2
    is_here = [thread == threading.get_ident() for thread in thread_of]
    assert is_here == [True, False, False]


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was handed to a thread from now on."""
    made: list[str] = []
    hop = SqliteConnection._hop

    def noting(self: SqliteConnection, function: Any, *args: Any) -> Any:
        made.append(function.__name__)
        return hop(self, function, *args)

    monkeypatch.setattr(SqliteConnection, "_hop", noting)
    return made


def insert_each(values: Iterable[int], **more: Any) -> Statement:
    text = "INSERT INTO t (a) VALUES (?1)"
    rows = [(each,) for each in values]
    return Statement(text, rows, many=True, is_brief=True, **more)


async def test_a_few_rows_are_stored_together_without_a_hop(
    sqlite: Driver, hops: list[str]
) -> None:
    await run(sqlite, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
    last = Statement("SELECT max(a) FROM t", returns_rows=True, is_brief=True)
    hops.clear()

    async with sqlite.acquire() as connection:
        (first,) = await connection.run([insert_each(range(FEW))])
        results = await connection.run([insert_each(range(100, 110)), last])
        assert not hops
        (more,) = await connection.run([insert_each(range(200, 201 + FEW))])
        assert hops == ["run_alone"]

    assert [first.count, results[0].count, more.count] == [FEW, 10, FEW + 1]
    assert results[1].rows == [(109,)]
    assert await value(sqlite, "SELECT count(*) FROM t") == 2 * FEW + 11


async def test_a_few_rows_are_stored_all_or_none(
    sqlite: Driver, hops: list[str]
) -> None:
    await run(sqlite, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
    hops.clear()
    async with sqlite.acquire() as connection:
        with pytest.raises(DuplicateKeyError):
            await connection.run([insert_each([1, 2, 3]), insert_each([4, 2])])
        with pytest.raises(DuplicateKeyError):
            await connection.run([insert_each([5, 5])])
        assert not hops
        async with connection.transaction():
            pass  # none was left open

    assert await value(sqlite, "SELECT count(*) FROM t") == 0


async def test_a_few_rows_that_set_off_much_are_stored_in_the_thread(
    sqlite: Driver, hops: list[str]
) -> None:
    await run(
        sqlite,
        "CREATE TABLE t (a INTEGER PRIMARY KEY)",
        "CREATE TABLE s (b)",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO s SELECT x FROM ("
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000) "
        "SELECT x FROM n); END",
    )
    hops.clear()
    async with sqlite.acquire() as connection:
        await connection.run([insert_each([1, 2])])

    assert hops == ["run_alone"]
    assert await value(sqlite, "SELECT count(*) FROM t") == 2
    assert await value(sqlite, "SELECT count(*) FROM s") == 10_000


async def test_a_snapshot_costs_a_thread_nothing_unless_it_is_to(
    sqlite_url: str, bridge: Bridge
) -> None:
    select = Statement("SELECT 1", returns_rows=True)
    for url in (sqlite_url, f"{sqlite_url}?shortcut=off", ":memory:"):
        driver = connect(parse_url(url), bridge)
        try:
            async with driver.acquire(write=False) as reader:
                async with reader.snapshot():
                    (result,) = await reader.run([select])
                async with reader.snapshot():
                    pass
        finally:
            await driver.aclose()
        assert result.rows == [(1,)]


async def test_readers_do_not_wait_for_the_writer(sqlite: Driver) -> None:
    await run(sqlite, "CREATE TABLE t (a)")
    async with sqlite.acquire() as writer, writer.transaction():
        await writer.run([Statement("INSERT INTO t VALUES (1)")])
        during = await value(sqlite, "SELECT count(*) FROM t")
        numbers = sqlite.statistics()

    assert during == 0
    assert await value(sqlite, "SELECT count(*) FROM t") == 1
    assert (numbers.open, numbers.idle, numbers.in_use) == (2, 1, 1)


async def test_a_database_in_memory_has_one_connection(memory: Driver) -> None:
    await run(memory, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")

    assert await value(memory, "SELECT count(*) FROM t") == 1
    assert (memory.statistics().open, memory.statistics().size) == (1, 1)


# -- the lock of another ------------------------------------------------------------


@pytest.fixture
def other(path: str) -> Iterator[sqlite3.Connection]:
    """Give a connection that is not ours."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


@pytest.mark.parametrize("several", [1, 2])
async def test_a_lock_that_is_not_had_in_time_is_a_conflict(
    sqlite: Driver, other: sqlite3.Connection, several: int
) -> None:
    await run(sqlite, "CREATE TABLE t (a)")
    other.execute("BEGIN IMMEDIATE")
    async with sqlite.acquire() as connection:
        with pytest.raises(TransactionConflictError) as caught:
            await connection.run([Statement("INSERT INTO t VALUES (1)")] * several)
        with pytest.raises(TransactionConflictError):
            await connection.transaction().__aenter__()
    other.execute("ROLLBACK")
    await run(sqlite, "INSERT INTO t VALUES (1)")

    assert (caught.value.code, caught.value.retryable) == ("SQLITE_BUSY", True)


@pytest.mark.parametrize("several", [1, 2])
async def test_a_lock_is_waited_for(
    sqlite_url: str, bridge: Bridge, other: sqlite3.Connection, several: int
) -> None:
    sqlite = connect(parse_url(sqlite_url), bridge)
    await run(sqlite, "CREATE TABLE t (a)")
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, other.execute, ["COMMIT"])
    timer.start()
    async with sqlite.acquire() as connection:
        await connection.run([Statement("INSERT INTO t VALUES (1)")] * several)
    timer.join()

    assert await value(sqlite, "SELECT count(*) FROM t") == several
    await sqlite.aclose()


async def test_waiting_for_a_lock_can_be_cancelled(
    sqlite_url: str, bridge: Bridge, other: sqlite3.Connection
) -> None:
    sqlite = connect(parse_url(sqlite_url), bridge)
    await run(sqlite, "CREATE TABLE t (a)")
    other.execute("BEGIN IMMEDIATE")
    started = anyio.current_time()
    with anyio.move_on_after(0.05) as scope:
        await run(sqlite, "INSERT INTO t VALUES (1)")
    seconds = anyio.current_time() - started
    other.execute("ROLLBACK")
    await run(sqlite, "INSERT INTO t VALUES (2)")
    await sqlite.aclose()

    assert scope.cancelled_caught
    assert seconds < 4  # the lock is waited for longer
    assert sqlite.statistics().open == 0


async def test_opening_a_locked_file_can_be_cancelled(
    sqlite_url: str, bridge: Bridge, other: sqlite3.Connection
) -> None:
    other.execute("CREATE TABLE t (a)")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("INSERT INTO t VALUES (1)")
    sqlite = connect(parse_url(sqlite_url), bridge)
    with anyio.move_on_after(0.1) as scope:
        await run(sqlite, "SELECT 1")
    impatient = connect(parse_url(f"{sqlite_url}?timeout=0.01"), bridge)
    with pytest.raises(TransactionConflictError):
        await run(impatient, "SELECT 1")
    open_after = sqlite.statistics().open + impatient.statistics().open
    await sqlite.aclose()
    await impatient.aclose()

    assert scope.cancelled_caught
    assert open_after == 0


async def test_two_processes_write_in_turns(sqlite_url: str, bridge: Bridge) -> None:
    sqlite = connect(parse_url(sqlite_url), bridge)
    await run(sqlite, "CREATE TABLE t (a)")
    code = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
print("ready", flush=True)
for _ in range(100):
    connection.execute("INSERT INTO t VALUES (1)")
"""
    command = [sys.executable, "-c", code, sqlite.url.database]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None
        await process.stdout.receive()
        for _ in range(100):
            await run(sqlite, "INSERT INTO t VALUES (2)")
        await process.wait()

    assert await value(sqlite, "SELECT count(*) FROM t") == 200
    await sqlite.aclose()


# -- rollbacks of its own -----------------------------------------------------------


FILL = Statement(
    """INSERT INTO t WITH RECURSIVE c(x) AS
    (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000) SELECT hex(zeroblob(500)) FROM c"""
)


async def shrink(driver: Driver) -> None:
    """Leave no room for more than a few pages."""
    await run(driver, "CREATE TABLE t (a)", "PRAGMA max_page_count = 10")


async def test_a_full_disk_rolls_back_and_says_so(sqlite: Driver) -> None:
    await shrink(sqlite)
    one = Statement("INSERT INTO t VALUES (1)")
    for statements in ([FILL], [one, FILL]):
        async with sqlite.acquire() as connection:
            with pytest.raises(DriverError) as caught:
                await connection.run(statements)

        assert caught.value.code == "SQLITE_FULL"
    assert await value(sqlite, "SELECT count(*) FROM t") == 0
    await run(sqlite, one.text)


async def roll_back_all_in_savepoint(connection: Connection) -> None:
    async with connection.transaction():
        await connection.run([Statement("INSERT INTO t VALUES (1)")])
        with pytest.raises(DuplicateKeyError):
            async with connection.transaction():
                await connection.run(
                    [Statement("INSERT OR ROLLBACK INTO t VALUES (1)")]
                )
        await connection.run([Statement("INSERT INTO t VALUES (2)")])


async def test_a_savepoint_does_not_confine_a_rollback_of_everything(
    sqlite: Driver,
) -> None:
    await run(sqlite, "CREATE TABLE t (a UNIQUE)")
    async with sqlite.acquire() as connection:
        with pytest.raises(DriverError) as caught:
            await roll_back_all_in_savepoint(connection)

    assert caught.value.code == "25P02"
    assert await value(sqlite, "SELECT count(*) FROM t") == 0


async def test_a_failed_commit_leaves_no_transaction(sqlite: Driver) -> None:
    await run(
        sqlite,
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)",
    )
    orphan = Statement("INSERT INTO b VALUES (7)")
    async with sqlite.acquire() as connection:
        with pytest.raises(ConstraintError) as caught:
            async with connection.transaction():
                await connection.run([orphan])
        with pytest.raises(ConstraintError):
            await connection.run([orphan, orphan])
        await connection.run([Statement("INSERT INTO a VALUES (1)")])

    assert caught.value.kind == "foreign_key"
    assert await value(sqlite, "SELECT count(*) FROM b") == 0


# -- refusals -----------------------------------------------------------------------


async def test_the_key_of_a_duplicate_is_told_as_far_as_sqlite_tells(
    sqlite: Driver,
) -> None:
    await run(
        sqlite,
        'CREATE TABLE "t ""1" (a TEXT)',
        'CREATE UNIQUE INDEX i ON "t ""1" (lower(a))',
        """INSERT INTO "t ""1" VALUES ('x')""",
    )
    with pytest.raises(DuplicateKeyError) as caught:
        await run(sqlite, """INSERT INTO "t ""1" VALUES ('X')""")

    assert (caught.value.table, caught.value.fields) == ('t "1', ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT json('{')", DriverError),
        ("SELECT 'a' REGEXP '('", DriverError),
        ("SELECT abs(-9223372036854775808)", OutOfRangeError),
        ("SELECT count(1, 2)", QueryError),
        ("", DriverError),
    ],
)
async def test_what_fails_as_it_runs_is_not_bad_sql(
    sqlite: Driver, text: str, kind: type[DriverError]
) -> None:
    if not text:
        await run(sqlite, text)  # nothing to do is no error
        return
    with pytest.raises(DriverError) as caught:
        await run(sqlite, text)

    assert type(caught.value) is kind


async def test_a_cut_connection_says_so_to_whoever_still_has_it(
    sqlite: Driver,
) -> None:
    async with sqlite.acquire() as connection:
        inside: Any = connection
        inside.terminate()
        inside.terminate()
        with pytest.raises(ConnectionLostError):
            await connection.run([Statement("SELECT 1")])
        await inside.aclose()
        await inside.aclose()

    assert sqlite.statistics().open == 0


async def test_closing_twice_is_harmless(sqlite: Driver) -> None:
    async with sqlite.acquire() as connection:
        inside: Any = connection
        await inside.aclose()
        await inside.aclose()


# -- functions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("John", "^J", 1),
        ("john", "^J", 0),
        ("john", "(?i)^J", 1),
        ("a\nb", "a.b", 1),
        ("a\nb", "^b", 0),
        (42, "^4", 1),
        (None, "a", None),
        ("a", None, None),
        ("a" * 5000 + "!", "^(a+)+$", 0),
    ],
)
async def test_regexp_searches_in_linear_time(
    memory: Driver, text: object, pattern: str | None, found: int | None
) -> None:
    assert await value(memory, "SELECT ?1 REGEXP ?2", text, pattern) == found


async def test_decimals_kept_as_text_have_an_order(memory: Driver) -> None:
    numbers = ["10", "9.5", "-3", "9.50", "1e3", "NaN", "zero", "0.1"]
    statement = Statement(
        "INSERT INTO t VALUES (?1)", [(one,) for one in numbers], many=True
    )
    ordered = "SELECT group_concat(a, ' ') FROM (SELECT a FROM t ORDER BY a, rowid)"
    async with memory.acquire() as connection:
        await connection.run([Statement("CREATE TABLE t (a TEXT COLLATE DECIMAL)")])
        await connection.run([statement])

    assert await value(memory, ordered) == "-3 0.1 9.5 9.50 10 1e3 NaN zero"
    assert await value(memory, "SELECT count(*) FROM t WHERE a = '9.500'") == 2
    assert await value(memory, "SELECT '10' < '9' COLLATE DECIMAL") == 0


# -- the thread ---------------------------------------------------------------------


async def test_many_executions_can_be_cancelled(sqlite: Driver) -> None:
    await run(sqlite, "CREATE TABLE t (a)")
    rows = [(1,)] * 10_000_000
    for text in ("INSERT INTO t VALUES (?1)", "INSERT INTO t VALUES (?1) RETURNING a"):
        started = anyio.current_time()
        with anyio.move_on_after(0.05) as scope:
            async with sqlite.acquire() as connection:
                await connection.run([Statement(text, rows, many=True)])

        assert scope.cancelled_caught
        assert anyio.current_time() - started < 5  # all would take longer
    assert await value(sqlite, "SELECT count(*) FROM t") == 0


async def test_a_thread_that_does_not_answer_is_left_behind(
    sqlite: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.drivers._session.GRACE_S", 0.05)
    busy, release = threading.Event(), threading.Event()
    inside: list[Any] = []

    def block() -> None:
        busy.set()
        release.wait()

    with anyio.CancelScope() as scope:
        async with sqlite.acquire() as connection:
            inside.append(connection)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(inside[0]._hop, block)
                await anyio.to_thread.run_sync(busy.wait)
                scope.cancel()

    assert scope.cancelled_caught
    assert sqlite.statistics().open == 0
    release.set()
    await inside[0].aclose()
    await run(sqlite, "CREATE TABLE t (a)")
