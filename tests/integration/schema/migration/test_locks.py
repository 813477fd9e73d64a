"""What the catalogue of risks says of locks and rewriting is what PostgreSQL does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from evolving import model, run
from msgspec.structs import replace
from structlog.testing import capture_logs

from dataflow.drivers import Bridge, Connection, Driver, connect, parse_url
from dataflow.errors import MigrationFailedError
from dataflow.models import FieldType, Kind, Model, declare, field
from dataflow.schema import (
    Column,
    ForeignKey,
    IndexPart,
    Key,
    Schema,
    TableIndex,
    TableShape,
    Unique,
    read_schema,
    shape_of,
)
from dataflow.schema.migration import (
    Facts,
    Migrator,
    Permission,
    Risk,
    Step,
    TableFacts,
    Target,
    Work,
    make_plan,
    target_of,
)
from dataflow.schema.migration._step import Backfill
from dataflow.schema.migration.applying import _lock, _run
from dataflow.schema.migration.planning import Fill
from dataflow.schema.migration.writing import CATALOGUES, purge_steps
from dataflow.sql import POSTGRESQL, Statement

pytestmark = pytest.mark.postgres


@pytest.fixture
def anyio_backend() -> str:
    """Run on one event loop: the locks are those of the server."""
    return "asyncio"


RISKS = CATALOGUES["postgresql"]
UNTRIED = {
    "create_table",
    "backfill",
    "purge_column",
    "purge_table",
}
"""Steps that are tried by themselves."""
HELD = (
    "SELECT mode, relation::regclass::text FROM pg_locks WHERE pid = $1 "
    "AND locktype = 'relation' AND granted AND relation = ANY($2::oid[])"
)
STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""From the weakest to the strongest. Source: PostgreSQL, "Explicit Locking"."""
WEAK = {"AccessShareLock"}
"""What reading takes."""


TABLES = (
    "DROP TABLE IF EXISTS t, s, p, ps CASCADE",
    'DROP TABLE IF EXISTS "_dataflow_dropped_t"',
    "CREATE TABLE p (id bigint CONSTRAINT p_pkey PRIMARY KEY)",
    "CREATE TABLE ps (id bigint CONSTRAINT ps_pkey PRIMARY KEY)",
    """CREATE TABLE t (id bigint NOT NULL CONSTRAINT t_pkey PRIMARY KEY,
    a integer, b bigint, c text COLLATE "C", v varchar(10), m numeric(10,2),
    d text, u bigint CONSTRAINT t_u_key UNIQUE,
    f bigint CONSTRAINT t_f_fkey REFERENCES p (id), n bigint NOT NULL)""",
    "CREATE INDEX t_b_idx ON t (b NULLS FIRST)",
    "INSERT INTO p SELECT generate_series(0, 500)",
    """INSERT INTO t SELECT i, i, i, i, i % 9, 1.5, i, i, i % 9, i
    FROM generate_series(1, 500) AS i""",
)


@pytest.fixture
async def driver(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver for a new PostgreSQL database with a table of rows."""
    made = connect(parse_url(postgres_url), bridge, pool_size=4)
    await make_tables(made)
    yield made
    await made.aclose()


async def make_tables(driver: Driver) -> None:
    """Make the tables anew."""
    async with driver.acquire() as connection:
        await connection.run([Statement(text) for text in TABLES])


def with_columns(table: TableShape, **changes: Any) -> TableShape:
    columns = [
        replace(each, **changes[each.name]) if each.name in changes else each
        for each in table.columns
    ]
    return replace(table, columns=tuple(columns))


def typed(table: TableShape, name: str, like: str) -> TableShape:
    """Return *table* with a column of the type that a field of *like* has."""

    class Sample:
        __annotations__ = {"value": LIKE[like]}

    sample = shape_of([declare(Sample)], POSTGRESQL).tables[0].by_name["value"]
    facts = {
        "type": sample.type,
        "field_type": sample.field_type,
        "collation": sample.collation,
    }
    return with_columns(table, **{name: facts})


LIKE = {"int": int, "str": str, "float": float}


def targets(t: TableShape) -> list[tuple[TableShape, dict[str, Any]]]:
    """Return what the table may be to become, for each operation of the catalogue."""
    new = Column(name="x", type="bigint", field_type=t.by_name["b"].field_type)
    filled = {("t", "x"): Fill(FieldType(Kind.INT, int), 3)}
    unique = Unique(("b",), "t_b_key")
    foreign = ForeignKey(
        columns=("id",), target="p", target_columns=("id",), name="t_id_fkey"
    )
    index = TableIndex(name="t_a_idx", parts=(IndexPart("a"),))
    without_d = tuple(each for each in t.columns if each.name != "d")
    return [
        (replace(t, columns=(*t.columns, new)), {}),
        (
            replace(t, columns=(*t.columns, replace(new, is_nullable=False))),
            {"fills": filled},
        ),
        (replace(t, columns=(*t.columns, replace(new, is_nullable=False))), {}),
        (with_columns(t, b={"is_nullable": False}), {}),
        (with_columns(t, n={"is_nullable": True}), {}),
        (typed(t, "a", "int"), {}),
        (typed(t, "d", "int"), {}),
        (typed(t, "b", "str"), {}),
        (typed(t, "v", "str"), {}),
        (with_columns(t, d={"collation": "C"}), {}),
        (replace(t, columns=without_d), {}),
        (
            with_columns(t, d={"name": "e"}),
            {"renamed_columns": {("t", "e"): "d"}},
        ),
        (replace(t, uniques=(*t.uniques, unique)), {}),
        (replace(t, uniques=()), {}),
        (replace(t, indexes=(*t.indexes, index)), {}),
        (replace(t, indexes=()), {}),
        (replace(t, indexes=(TableIndex(name="t_new", parts=t.indexes[0].parts),)), {}),
        (replace(t, foreign_keys=()), {}),
        (replace(t, foreign_keys=(*t.foreign_keys, foreign)), {}),
        (replace(t, key=Key(("n",), "t_pkey")), {}),
        (with_columns(t, id={"identity": "by default"}), {}),
        (
            replace(t, uniques=(replace(t.uniques[0], name="t_u_new"),)),
            {},
        ),
        (replace(t, name="s"), {"renamed_tables": {"s": "t"}}),
    ]


async def steps_of(driver: Driver) -> list[tuple[bool, list[Step]]]:
    schema = await read_schema(driver)
    table = next(each for each in schema.tables if each.name == "t")
    plans: list[tuple[bool, list[Step]]] = []
    for facts in (TableFacts(rows=2000, is_empty=False), TableFacts()):
        for wanted, more in targets(table):
            target = Target(
                schema=Schema(dialect="postgresql", tables=(wanted,)), **more
            )
            plan = make_plan(
                schema,
                target,
                Facts(version=(16,), tables={"t": facts}),
                drops=("t.d",),
            )
            if plan.problems:  # rows without a value
                assert not facts.is_empty
                continue
            plans.append((facts.is_empty, [*plan.steps]))
    dropped = make_plan(
        schema,
        Target(schema=Schema(dialect="postgresql")),
        Facts(tables={"t": TableFacts(is_empty=False)}),
        drops=("t",),
    )
    identity = with_columns(table, id={"identity": "by default"})
    lost = make_plan(
        replace(schema, tables=(identity,)),
        Target(schema=Schema(dialect="postgresql", tables=(table,))),
        Facts(tables={"t": TableFacts(is_empty=False)}),
    )
    given = Step(
        operation="",
        table="t",
        description="",
        work=_work("ALTER TABLE t ALTER id ADD GENERATED BY DEFAULT AS IDENTITY"),
    )
    plans += [(False, [*dropped.steps]), (False, [given, *lost.steps])]
    return plans


def _work(text: str) -> Any:
    return Work(statements=(text,))


async def oids(connection: Connection, table: str = "t") -> tuple[Sequence[int], int]:
    statement = Statement(
        "SELECT to_regclass($1)::oid, pg_backend_pid()", (table,), returns_rows=True
    )
    (result,) = await connection.run([statement])
    return [result.rows[0][0]], result.rows[0][1]


async def held(connection: Connection, relations: Sequence[int], pid: int) -> set[str]:
    statement = Statement(HELD, (pid, relations), returns_rows=True)
    (result,) = await connection.run([statement])
    return {row[0] for row in result.rows}


async def file_of(connection: Connection, relation: int) -> int:
    statement = Statement(
        "SELECT relfilenode FROM pg_class WHERE oid = $1",
        (relation,),
        returns_rows=True,
    )
    (result,) = await connection.run([statement])
    return int(result.rows[0][0])


def said(mode: str | None) -> str | None:
    """Return a lock as `pg_locks` writes it."""
    return None if mode is None else f"{mode.title().replace(' ', '')}Lock"


async def test_every_lock_and_every_rewrite_is_as_the_catalogue_says(
    driver: Driver,
) -> None:
    tried: set[str] = set()
    for is_empty, steps in await steps_of(driver):
        await make_tables(driver)
        if is_empty:
            await run(driver, "TRUNCATE t")
        async with driver.acquire() as connection:
            relations, pid = await oids(connection)
            for step in steps:
                await _try(connection, step, relations, pid)
                tried.add(step.operation)

    assert {*RISKS} - tried == UNTRIED


async def _try(
    connection: Connection, step: Step, relations: Sequence[int], pid: int
) -> None:
    if step.work.mode == "alone":  # that is looked at below
        await connection.run([Statement(step.work.sql[0])])
        return
    file = await file_of(connection, relations[0])
    async with connection.transaction():
        await connection.run([Statement(text) for text in step.work.sql])
        locks = await held(connection, relations, pid)
    if step.operation in RISKS:
        strongest = max(locks - WEAK, key=STRENGTH.index, default=None)
        assert strongest == said(step.lock), step.description
        is_rewritten = await file_of(connection, relations[0]) != file
        assert is_rewritten == RISKS[step.operation].is_rewrite, step.description


async def test_a_purge_locks_what_it_drops(driver: Driver) -> None:
    await run(driver, 'ALTER TABLE t RENAME d TO "_dataflow_dropped_d"')
    for names in (["t._dataflow_dropped_d"], ["_dataflow_dropped_t"]):
        (step,) = purge_steps(names, "postgresql")
        if step.operation == "purge_table":
            await run(driver, 'ALTER TABLE t RENAME TO "_dataflow_dropped_t"')
        async with driver.acquire() as connection:
            relations, pid = await oids(connection, step.table)
            file = await file_of(connection, relations[0])
            async with connection.transaction():
                await connection.run([Statement(text) for text in step.work.sql])
                locks = await held(connection, relations, pid)
                is_there = step.operation == "purge_column"
                if is_there:
                    assert await file_of(connection, relations[0]) == file
                await connection.run([Statement("SELECT 1", returns_rows=True)])

        assert max(locks, key=STRENGTH.index) == said(step.lock)
        assert not step.is_rewrite


async def test_a_backfill_locks_its_rows_only(driver: Driver) -> None:
    """The statement is the one that `Runner` writes; it is caught in its transaction."""
    await run(driver, "UPDATE t SET b = NULL WHERE id < 3")
    fill = Backfill(
        table='"t"', column='"b"', key=('"id"',), place=("t", "b"), literal="7"
    )
    seen: list[set[str]] = []
    async with driver.acquire() as connection, driver.acquire() as watcher:
        relations, pid = await oids(connection)
        file = await file_of(connection, relations[0])
        async with connection.transaction():
            runner = _run.Runner(connection, POSTGRESQL, {}, is_noting=True)
            work = Work(mode="backfill", backfill=fill)
            await runner.run(work, "fill", lambda _: None)
            seen.append(await held(connection, relations, pid))
            with anyio.fail_after(5):  # nobody else has to wait
                other = "UPDATE t SET n = n WHERE id = 3"
                await watcher.run([Statement("SELECT FROM t", returns_rows=True)])
                await watcher.run([Statement(other)])
        assert await file_of(connection, relations[0]) == file

    assert max(seen[0], key=STRENGTH.index) == said(RISKS["backfill"].lock)
    assert await run(driver, "SELECT b FROM t WHERE id < 3") == [(7,), (7,)]


async def test_a_new_table_locks_no_other(driver: Driver) -> None:
    target = target_of(
        [declare(model("Fresh", a=(int, field(index=True))))], POSTGRESQL
    )
    (step,) = make_plan(await read_schema(driver), target, Facts()).steps
    async with driver.acquire() as connection:
        relations, pid = await oids(connection)
        async with connection.transaction():
            await connection.run([Statement(text) for text in step.work.sql])
            locks = await held(connection, relations, pid)

    assert step.operation == "create_table"
    assert locks == set()
    assert RISKS["create_table"].lock is None


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("create_index_concurrently", "CREATE INDEX CONCURRENTLY t_a_idx ON t (a)"),
        ("drop_index", "DROP INDEX CONCURRENTLY t_b_idx"),
    ],
)
async def test_what_is_done_concurrently_keeps_nobody_from_writing(
    driver: Driver, operation: str, text: str
) -> None:
    locks: set[str] = set()
    async with (
        driver.acquire() as writer,
        driver.acquire() as worker,
        driver.acquire() as watcher,
        anyio.create_task_group() as tasks,
    ):
        relations, pid = await oids(worker)
        async with writer.transaction():
            # It has to wait for this transaction, with its lock in hand.
            await writer.run([Statement("UPDATE t SET n = n WHERE id = 1")])
            tasks.start_soon(worker.run, [Statement(text)])
            with anyio.fail_after(10):
                while not locks:
                    locks = await held(watcher, relations, pid)
                    await anyio.lowlevel.checkpoint()
            await watcher.run([Statement("UPDATE t SET n = n WHERE id = 2")])

    assert locks == {said(RISKS[operation].lock)}


async def test_a_migration_gets_by_a_reader_that_does_not_go_away_at_once(
    driver: Driver,
) -> None:
    thing = declare(model("Thing", a=int))
    migrator = Migrator(driver, _target(thing))
    await run(driver, "CREATE TABLE things (id bigint PRIMARY KEY)")
    async with (
        driver.acquire() as reader,
        anyio.create_task_group() as tasks,
        reader.transaction(),
    ):
        await reader.run([Statement("SELECT FROM things", returns_rows=True)])
        tasks.start_soon(migrator.apply, Permission(limit=Risk.CRITICAL))
        with anyio.fail_after(20):
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while (await run(driver, waiting))[0][0] == 0:
                await anyio.lowlevel.checkpoint()

    assert not (await migrator.check()).steps


def _target(thing: Model) -> Target:
    return target_of([thing], POSTGRESQL)


async def test_a_lock_that_is_not_given_is_asked_for_again(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "LOCK_TIMEOUT_S", 0.02)
    migrator = Migrator(driver, _target(declare(model("P", a=int | None))))
    async with (
        driver.acquire() as reader,
        anyio.create_task_group() as tasks,
    ):
        with capture_logs() as logs:
            async with reader.transaction():
                await reader.run([Statement("SELECT FROM ps", returns_rows=True)])
                tasks.start_soon(migrator.apply, Permission(limit=Risk.CRITICAL))
                with anyio.fail_after(20):
                    while not any(each["event"] == "migration_waits" for each in logs):
                        await anyio.lowlevel.checkpoint()

    assert not (await migrator.check()).steps


async def test_a_lock_that_is_never_given_fails_the_migration_and_undoes_it(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "LOCK_TIMEOUT_S", 0.02)
    monkeypatch.setattr(_lock, "ATTEMPTS", 2)
    before = await read_schema(driver)
    fields: dict[str, Any] = {"a": int | None, "b": int | None}
    both = [declare(model("New", **fields)), declare(model("P", **fields))]
    migrator = Migrator(driver, target_of(both, POSTGRESQL))
    async with driver.acquire() as reader, reader.transaction():
        await reader.run([Statement("SELECT FROM ps", returns_rows=True)])
        with pytest.raises(MigrationFailedError, match="were undone") as error:
            await migrator.apply(Permission(limit=Risk.CRITICAL))

    assert "55P03" in error.value.reason
    assert await read_schema(driver) == before
    entry = (await migrator.entries())[-1]
    assert entry.state == "failed"
    assert entry.error


def test_a_lock_is_waited_for_briefly_and_longer_only_in_the_end() -> None:
    waits = [_lock.lock_timeout_s(attempt) for attempt in range(1, _lock.ATTEMPTS + 1)]

    assert waits[:30] == [0.05] * 30
    assert waits[30:] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
