"""Policies of PostgreSQL hold statements to the tenant they are for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from postgres import PostgresServer
from tenants import Place

from dataflow import DataFlow, field
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    DuplicateKeyError,
    ForeignKeyError,
    QueryError,
    RowSecurityError,
    RowSecurityRoleError,
)
from dataflow.sql import Statement

pytestmark = pytest.mark.postgres

TELL = "SELECT current_setting('dataflow.tenant', true), current_setting('dataflow.tenants', true)"


def declare(db: DataFlow) -> DataFlow:
    @db.model
    class Team:
        name: str

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "unique": [["name"]],
            "audit": "changes",
        }

    @db.model
    class Member:
        code: str = field(primary_key=True)
        team_id: int | None = field(default=None, references="Team")
        boss_code: str | None = field(default=None, references="Member")

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    @db.model
    class Country:
        code: str = field(primary_key=True)

    return db


def opened(place: Place, **options: Any) -> DataFlow:
    return declare(DataFlow(place.url, pool_size=2, **place.options, **options))


@pytest.fixture
async def db(walled: Place) -> AsyncIterator[DataFlow]:
    db = opened(walled)
    async with db:
        yield db
    await db.aclose()


@pytest.fixture
async def app(walled: Place, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give connections of the application that ask as they please."""
    driver = connect(parse_url(walled.url), bridge, pool_size=2)
    yield driver
    await driver.aclose()


async def ask(driver: Driver, *texts: str) -> list[Any]:
    statements = [Statement(text, returns_rows=True) for text in texts]
    async with driver.acquire() as connection:
        results = await connection.run(statements)
    return [tuple(row) for row in results[-1].rows]


async def test_the_owner_sees_and_changes_no_row_without_a_tenant(
    db: DataFlow, app: Driver
) -> None:
    for tenant in ("t1", "t2"):
        with db.tenant(tenant):
            await db["Team"].create(name="a")
    mine = "SELECT set_config('dataflow.tenant', 't1', true)"

    assert await ask(app, "SELECT * FROM teams") == []
    assert await ask(app, "UPDATE teams SET name = 'x' RETURNING id") == []
    assert await ask(app, mine, "SELECT tenant_id FROM teams") == [("t1",)]
    assert await ask(app, mine, "DELETE FROM teams RETURNING tenant_id") == [("t1",)]
    with pytest.raises(QueryError):
        await ask(app, mine, "INSERT INTO teams (name, tenant_id) VALUES ('x', 't2')")
    with pytest.raises(QueryError):
        await ask(app, "INSERT INTO teams (name, tenant_id) VALUES ('x', 't1')")


async def test_who_looks_after_all_of_them_reads_and_only_writes_if_it_says_so(
    db: DataFlow, app: Driver
) -> None:
    for tenant in ("t1", "t2"):
        with db.tenant(tenant):
            await db["Team"].bulk_create([{"name": str(n)} for n in range(100)])
    reads = "SELECT set_config('dataflow.tenants', 'read', true)"

    with db.cross_tenant(reason="figures"):
        assert await db["Team"].count() == 200
        assert len([row async for row in db["Team"].stream(batch_size=30)]) == 200
    assert await ask(app, reads, "SELECT count(*) FROM teams") == [(200,)]
    assert await ask(app, reads, "DELETE FROM teams RETURNING id") == []
    with db.cross_tenant(reason="closing", may_write=True):
        await db["Team"].bulk_delete(filter={"tenant_id": "t1"})
        workflow = db.workflow()
        text = {"query": "UPDATE teams SET name = name || '!'"}
        workflow.add_node("AsyncSQLDatabaseNode", "raw", text)
        results, _ = await db.run(workflow.build())
    assert results["raw"]["row_count"] == 100


@pytest.mark.parametrize("place", ["postgres", "walled"], indirect=True)
async def test_errors_tell_what_they_tell_without_it(place: Place) -> None:
    db = opened(place)
    async with db:
        await _meet_errors(db)


async def _meet_errors(db: DataFlow) -> None:
    with db.tenant("t2"):
        await db["Member"].create(code="theirs")
    with db.tenant("t1"):
        team = await db["Team"].create(name="a")
        await db["Member"].create(code="m", team_id=team["id"])
        await db["Member"].create(code="n", boss_code="m")
        with pytest.raises(DuplicateKeyError) as duplicate:
            await db["Team"].create(name="a")
        with pytest.raises(ForeignKeyError) as unknown:
            await db["Member"].create(code="o", boss_code="theirs")
        with pytest.raises(ForeignKeyError) as referenced:
            await db["Team"].bulk_delete(ids=[team["id"]])
        with pytest.raises(ForeignKeyError) as itself:
            await db["Member"].delete("m")

    assert duplicate.value.fields == ("tenant_id", "name")
    assert unknown.value.target == "members"
    assert unknown.value.is_referenced is False
    assert referenced.value.table == "members"
    assert {*referenced.value.fields} == {"tenant_id", "id"}
    assert itself.value.is_referenced is True


async def test_a_sequence_that_fell_behind_is_moved_past_the_keys_of_all(
    db: DataFlow, walled: Place, bridge: Bridge
) -> None:
    with db.tenant("t1"):
        await db["Team"].create(name="a")
    eye = connect(parse_url(walled.all_url), bridge, pool_size=1)
    await ask(
        eye,
        "INSERT INTO teams (id, name, tenant_id) SELECT n, n::text, 't2' "
        "FROM generate_series(2, 40) AS n RETURNING id",
    )
    await eye.aclose()

    with db.tenant("t1"):
        assert (await db["Team"].create(name="b"))["id"] == 41
        assert await db["Team"].count() == 2


async def test_a_role_that_no_policy_holds_back_is_refused_before_anything(
    walled: Place, postgres_server: PostgresServer, app_role: str, bridge: Bridge
) -> None:
    db = declare(DataFlow(walled.all_url, row_security=True))
    async with db:
        with pytest.raises(RowSecurityRoleError) as caught:
            await db.initialize()
    eye = connect(parse_url(walled.all_url), bridge, pool_size=1)
    there = await ask(eye, "SELECT to_regclass('teams') IS NOT NULL")
    await eye.aclose()
    assert caught.value.reason == "SUPERUSER"
    assert there == [(False,)]

    postgres_server.execute(f"ALTER ROLE {app_role} BYPASSRLS")
    try:
        db = opened(walled)
        async with db:
            with pytest.raises(RowSecurityRoleError, match="BYPASSRLS"):
                await db.initialize()
    finally:
        postgres_server.execute(f"ALTER ROLE {app_role} NOBYPASSRLS")


async def test_tables_without_policies_get_them_or_are_refused(walled: Place) -> None:
    before = declare(DataFlow(walled.url))
    async with before:
        await before.initialize()
        fixed = opened(walled, existing_schema_mode=True)
        async with fixed:
            with pytest.raises(RowSecurityError, match=r"db\.row_security\.sql"):
                await fixed.initialize()
        db = opened(walled)
        async with db:
            await db.initialize()
        again = opened(walled, existing_schema_mode=True)
        async with again:
            await again.initialize()


async def test_who_leaves_it_off_is_told_rather_than_shown_nothing(
    db: DataFlow, walled: Place
) -> None:
    await db.initialize()
    off = declare(DataFlow(walled.url))
    async with off:
        with (
            off.tenant("t1"),
            pytest.raises(RowSecurityError, match="row_security=True"),
        ):
            await off["Team"].count()


async def test_a_model_without_tenants_does_not_get_past_the_policies(
    db: DataFlow, walled: Place
) -> None:
    await db.initialize()
    other = DataFlow(walled.url, row_security=True)

    @other.model
    class Team:
        name: str

    async with other:
        with pytest.raises(RowSecurityError, match="multi_tenant"):
            await other["Team"].count()


async def test_policies_of_another_form_are_replaced(
    db: DataFlow, walled: Place, app: Driver
) -> None:
    await db.initialize()
    await ask(app, "CREATE POLICY dataflow_old ON teams USING (true)", "SELECT 1")
    async with opened(walled) as again:
        await again.initialize()

    names = "SELECT count(*) FROM pg_policy WHERE polrelid = 'teams'::regclass"
    assert await ask(app, names) == [(5,)]


async def test_the_owner_may_make_them_for_a_role_that_owns_nothing(
    walled: Place, postgres_server: PostgresServer, bridge: Bridge
) -> None:
    role = "dataflow_owns_nothing"
    plain = declare(DataFlow(walled.all_url))
    async with plain:
        await plain.initialize()
    eye = connect(parse_url(walled.all_url), bridge, pool_size=1)
    async with eye.acquire() as connection:
        await connection.run([Statement(text) for text in plain.row_security.sql(role)])
        grant = f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
        await connection.run([Statement(grant)])
    try:
        url = walled.url.replace(walled.url.split("@")[0], f"postgresql://{role}")
        db = declare(DataFlow(url, row_security=True, auto_migrate=False))
        async with db:
            with db.tenant("t1"):
                await db["Member"].bulk_create([{"code": str(n)} for n in range(200)])
                assert await db["Member"].count() == 200
        late = declare(DataFlow(url, row_security=True))
        async with eye.acquire() as connection:
            await connection.run(
                [Statement("ALTER TABLE members NO FORCE ROW LEVEL SECURITY")]
            )
        async with late:
            with pytest.raises(RowSecurityError, match="owner"):
                await late.initialize()
    finally:
        async with eye.acquire() as connection:
            await connection.run([Statement(f"DROP OWNED BY {role}")])
        await eye.aclose()
        postgres_server.execute(f"DROP ROLE {role}")


async def test_migrations_see_the_rows_of_all_tenants(walled: Place) -> None:
    first, second = (DataFlow(walled.url, **walled.options) for _ in range(2))
    options: dict[str, Any] = {"multi_tenant": True}

    def note(**defaults: Any) -> type:
        kinds: dict[str, object] = {n: type(value) for n, value in defaults.items()}
        names = {"__annotations__": {"name": str, **kinds}, "__dataflow__": options}
        return type("Note", (), {**names, **defaults})

    first.model(note())
    second.model(note(n=7))
    second.model(type("Extra", (note(),), {"__dataflow__": options}))
    async with first:
        for tenant in ("t1", "t2"):
            with first.tenant(tenant):
                await first["Note"].create(name="a")
    async with second:
        with second.cross_tenant(reason="migration", may_write=True):
            await second.auto_migrate(auto_confirm=True, backup_before_migration=True)
        for tenant in ("t1", "t2"):
            with second.tenant(tenant):
                assert (await second["Note"].list())["records"][0]["n"] == 7
    fixed = DataFlow(walled.url, existing_schema_mode=True, **walled.options)
    fixed.model(type("Extra", (note(),), {"__dataflow__": options}))
    async with fixed:
        await fixed.initialize()


def test_sqlite_has_no_policies(sqlite_url: str) -> None:
    with pytest.raises(RowSecurityError, match="only PostgreSQL"):
        DataFlow(sqlite_url, row_security=True)


@pytest.mark.parametrize("tenant", ["a'b", 'a"b', "a\\b;--", "ä☃𝄞", "$1", "%s"])
async def test_the_name_of_a_tenant_is_never_sql(db: DataFlow, tenant: str) -> None:
    with db.tenant(tenant):
        made = await db["Team"].create(name="a")
        rows = [row async for row in db["Team"].stream(include=["members"])]

    assert made["tenant_id"] == tenant
    assert [row["id"] for row in rows] == [made["id"]]


async def nobody_is_left(db: DataFlow) -> None:
    """See that no connection of the pool has a tenant."""

    async def look(driver: Driver) -> None:
        async with driver.acquire() as one, driver.acquire() as other:
            for connection in (one, other):
                (told,) = await connection.run((Statement(TELL, returns_rows=True),))
                assert not any(told.rows[0]), "a tenant was left behind"

    await db._hosting.with_driver(look)  # no user has connections


async def test_a_run_that_is_cancelled_leaves_no_tenant_behind(db: DataFlow) -> None:
    await db.initialize()
    records, n_cut, n_steps = db["Team"], 0, 1
    with db.tenant("t1"):
        await records.create(name="kept")

    async def work() -> None:
        with db.tenant("t1"):
            await records.create(name="new")
            await records.list(include=["members"])
            await records.bulk_create([{"name": f"n{n}"} for n in range(60)])
            [_ async for _ in records.stream(batch_size=20)]
            await records.bulk_delete(filter={"name": {"$ne": "kept"}})

    # One await further each time, until it comes to its end.
    while True:
        with db.tenant("t1"):
            await records.bulk_delete(filter={"name": {"$ne": "kept"}})
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_after, n_steps, scope)
                await work()
                tasks.cancel_scope.cancel()
        await nobody_is_left(db)
        if not scope.cancelled_caught:
            break
        n_cut += 1
        n_steps += 1 if n_steps < 40 else n_steps // 8

    assert n_cut > 10
    with db.tenant("t1"):
        assert await records.count() == 1


async def _cancel_after(n_steps: int, scope: anyio.CancelScope) -> None:
    for _ in range(n_steps):
        await anyio.lowlevel.checkpoint()
    scope.cancel()
