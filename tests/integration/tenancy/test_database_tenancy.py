"""Tenants with databases of their own, and the life of tenants of every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio
import pytest
from tenants import Apart

from dataflow import DataFlow
from dataflow.drivers import Connection, Driver, PoolShare
from dataflow.errors import (
    ModelError,
    SchemaProtectedError,
    TenantConfirmationError,
    TenantExistsError,
    TenantNameError,
    TenantPlaceError,
    TenantRequiredError,
    TenantScopeError,
    TenantSuspendedError,
    UnknownTenantError,
    UrlError,
)
from dataflow.schema import ensure_table
from dataflow.tenancy import MODEL, Register, Tenant, TenantStates

INJECTIONS = (
    *("../x", "a/b", "a.b", "A", "a b", "a?mode=x", "a@b", "a%2e", "é", "con", "-a"),
    *('a"; DROP DATABASE x; --', "{tenant}", "a" * 64, "a\0b", " ", "_a"),
)


def declared(
    url: str, tenancy: str = "database", n: int = 32, **options: Any
) -> DataFlow:
    options["tenancy"] = tenancy
    db = DataFlow(url, pool_size=4, max_open_tenants=n, **options)

    @db.model
    class Invoice:
        number: str

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "unique": [["number"]],
        }

    return db


@pytest.fixture
async def db(apart: Apart) -> AsyncIterator[DataFlow]:
    db = declared(apart.url, apart.tenancy)
    async with db:
        yield db
        await apart.clear(db)
    await db.aclose()


async def test_each_tenant_has_tables_of_its_own(db: DataFlow) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        made = await db["Invoice"].create(number="1", tenant_id=name)
        assert made == {"id": 1, "number": "1"}
    with db.tenant("acme"):
        await db["Invoice"].bulk_create([{"number": "2"}, {"number": "3"}])
        assert [row["number"] async for row in db["Invoice"].stream()] == [*"123"]

    assert await db["Invoice"].count(tenant_id="globex") == 1
    with pytest.raises(TenantRequiredError):
        await db["Invoice"].count()
    with db.cross_tenant(reason="figures"):
        assert await db["Invoice"].count(tenant_id="acme") == 3
        with pytest.raises(TenantScopeError, match="one after the other"):
            await db["Invoice"].count()


async def test_a_cursor_of_one_tenant_means_nothing_to_another(db: DataFlow) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        rows = [{"number": str(n)} for n in range(4)]
        await db["Invoice"].bulk_create(rows, tenant_id=name)
    page = await db["Invoice"].list(limit=2, tenant_id="acme")
    cursor = page["next_cursor"]

    await db["Invoice"].list(limit=2, cursor=cursor, tenant_id="acme")
    with pytest.raises(Exception, match="cursor"):
        await db["Invoice"].list(limit=2, cursor=cursor, tenant_id="globex")


async def test_a_tenant_that_was_not_made_is_refused(db: DataFlow) -> None:
    with pytest.raises(UnknownTenantError):
        await db["Invoice"].create(number="1", tenant_id="acme")
    with pytest.raises(UnknownTenantError):
        await db.tenants.suspend("acme", reason="unpaid")


@pytest.mark.parametrize("name", INJECTIONS)
async def test_what_means_something_elsewhere_is_no_name(
    db: DataFlow, name: str
) -> None:
    with pytest.raises(TenantNameError):
        await db.tenants.create(name)

    assert await db.tenants.list() == []


async def test_more_tenants_are_served_than_are_open(apart: Apart) -> None:
    db = declared(apart.url, apart.tenancy, n=2)
    names = [f"t{n}" for n in range(5)]
    async with db:
        for name in names:
            await db.tenants.create(name)

        async def work(name: str) -> None:
            for n in range(5):
                await db["Invoice"].create(number=str(n), tenant_id=name)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for name in names:
                    tasks.start_soon(work, name)
        counts = [await db["Invoice"].count(tenant_id=name) for name in names]
        assert counts == [5] * 5
        await apart.clear(db)
    await db.aclose()


async def test_a_place_that_streams_is_not_closed(apart: Apart) -> None:
    db = declared(apart.url, apart.tenancy, n=1)
    async with db:
        for name in ("acme", "globex"):
            await db.tenants.create(name)
        rows = [{"number": str(n)} for n in range(50)]
        await db["Invoice"].bulk_create(rows, tenant_id="acme")
        with db.tenant("acme"):
            stream = db["Invoice"].stream(batch_size=5)
            first = await anext(stream)
        with anyio.move_on_after(0.1) as waited:
            await db["Invoice"].count(tenant_id="globex")
        assert waited.cancelled_caught

        assert len([first] + [row async for row in stream]) == 50
        with anyio.fail_after(5):
            assert await db["Invoice"].count(tenant_id="globex") == 0
        await apart.clear(db)
    await db.aclose()


async def test_two_tenants_never_share_a_place(sqlite_url: str) -> None:
    place = sqlite_url.replace("test.db", "one.db")
    async with DataFlow(
        sqlite_url, tenancy="database", tenant_url=lambda _: place
    ) as db:
        await db.tenants.create("acme")
        with pytest.raises(TenantPlaceError, match="another tenant's"):
            await db.tenants.create("globex")


async def test_a_database_of_somebody_else_is_left_alone(sqlite_url: str) -> None:
    url = sqlite_url.replace("test.db", "{tenant}.db")
    async with DataFlow(url.replace("{tenant}", "acme")) as other:

        @other.model
        class Thing:
            name: str

        await other["Thing"].create(name="kept")
    async with DataFlow(sqlite_url, tenancy="database", tenant_url=url) as db:
        with pytest.raises(TenantPlaceError, match="no tenant's"):
            await db.tenants.create("acme")
        assert (await db.tenants.create("acme", adopt=True)).state == "active"


def test_a_url_without_a_place_for_the_tenant_is_refused(sqlite_url: str) -> None:
    for tenancy, url in (
        ("database", "sqlite:///one.db"),
        ("database", "postgresql://host/{tenant}"),
        ("row", "sqlite:///{tenant}.db"),
    ):
        with pytest.raises(UrlError):
            DataFlow(sqlite_url, tenancy=tenancy, tenant_url=url)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="did you mean 'database'"):
        DataFlow(sqlite_url, tenancy="databases")  # type: ignore[arg-type]


def test_what_is_apart_refers_to_nothing_that_is_shared(sqlite_url: str) -> None:
    db = DataFlow(sqlite_url, tenancy="database")

    @db.model
    class Country:
        name: str

    with pytest.raises(ModelError, match="belongs to all of them"):

        @db.model
        class City:
            country_id: int

            __dataflow__ = {  # noqa: RUF012  as users write it
                "multi_tenant": True,
                "foreign_keys": [{"fields": ["country_id"], "references": "Country"}],
            }


async def test_raw_sql_of_a_tenant_sees_its_own_database(database_url: str) -> None:
    db = declared(database_url)
    async with db:
        await _holds_apart(db)
    await db.aclose()


async def _holds_apart(db: DataFlow) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
    await db["Invoice"].create(number="1", tenant_id="acme")
    workflow = db.workflow()
    query = {"query": "SELECT number FROM invoices"}
    workflow.add_node("AsyncSQLDatabaseNode", "q", query)
    built = workflow.build()

    for name, count in (("acme", 1), ("globex", 0)):
        results, _ = await db.run(built, tenant=name)
        assert results["q"]["row_count"] == count
        await db.tenants.delete(name, confirmed=True)


async def test_raw_sql_does_not_get_at_a_tenant_by_its_url(sqlite_url: str) -> None:
    db = declared(sqlite_url)
    async with db:
        made = await db.tenants.create("acme")
        workflow = db.workflow()
        query = {"query": "SELECT 1", "connection_string": made.place}
        workflow.add_node("AsyncSQLDatabaseNode", "q", query)
        with pytest.raises(Exception, match="cannot be kept to one tenant"):
            await db.run(workflow.build())


# -- the life of a tenant -----------------------------------------------------------


async def test_a_suspended_tenant_is_refused_until_it_is_resumed(kept: Apart) -> None:
    db, other = declared(kept.url, kept.tenancy), declared(kept.url, kept.tenancy)
    async with db, other:
        await db.tenants.create("acme")
        await db["Invoice"].create(number="1", tenant_id="acme")
        await db.tenants.suspend("acme", reason="unpaid")
        for each in (db, other):
            with pytest.raises(TenantSuspendedError, match="unpaid"):
                await each["Invoice"].count(tenant_id="acme")
        with db.cross_tenant(reason="figures"):
            assert await db["Invoice"].count(tenant_id="acme") == 1
        await db.tenants.resume("acme")
        assert await db["Invoice"].count(tenant_id="acme") == 1
        await db.tenants.delete("acme", confirmed=True)
    await other.aclose()
    await db.aclose()


async def test_a_deleted_tenant_is_gone_and_may_be_made_again(kept: Apart) -> None:
    db = declared(kept.url, kept.tenancy)
    async with db:
        for name in ("acme", "globex"):
            await db.tenants.create(name)
            await db["Invoice"].create(number="1", tenant_id=name)
        with pytest.raises(TenantExistsError):
            await db.tenants.create("acme")
        with pytest.raises(TenantConfirmationError):
            await db.tenants.delete("acme")
        dry = await db.tenants.delete("acme", dry_run=True)
        assert (dry.rows, dry.is_done) == ({"Invoice": 1}, False)

        assert (await db.tenants.delete("acme", confirmed=True)).is_done
        with pytest.raises(UnknownTenantError):
            await db["Invoice"].count(tenant_id="acme")
        assert await db["Invoice"].count(tenant_id="globex") == 1
        await db.tenants.create("acme")
        assert await db["Invoice"].count(tenant_id="acme") == 0
        assert (await db.audit.verify()).n_outside == 0
        await kept.clear(db)
    await db.aclose()


async def test_who_works_for_a_tenant_does_not_look_after_tenants(
    db: DataFlow,
) -> None:
    await db.tenants.create("acme")
    with db.tenant("acme"), pytest.raises(TenantScopeError):
        await db.tenants.list()


async def test_a_state_is_believed_for_a_second(sqlite_url: str) -> None:
    now, db = 0.0, declared(sqlite_url, "row")
    states = TenantStates(lambda: now)
    async with db:
        await db.tenants.create("acme")

        async def look() -> None:
            await db._hosting.with_driver(  # its connections
                lambda driver: states.look(driver, ["acme"])
            )

        await look()
        assert states.nowait("acme") is not None
        now = 1.0
        assert states.nowait("acme") is None
        await look()
        states.forget("acme")
        assert states.nowait("acme") is None


async def test_of_many_who_look_a_tenant_up_the_first_one_asks(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = Register.read_in

    async def note(
        self: Register, connection: Connection, names: Iterable[str]
    ) -> dict[str, Tenant]:
        asked.extend(names)
        return await read(self, connection, names)

    monkeypatch.setattr(Register, "read_in", note)
    await ensure_table(driver, MODEL)
    states, share = TenantStates(lambda: 0.0), PoolShare(driver, 1)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(states.look, share, ["acme", "globex"])
        for _ in range(20):
            tasks.start_soon(states.look, share, ["acme"])
    assert asked == ["acme", "globex"]


async def test_what_was_asked_before_a_change_is_not_believed_after_it(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = TenantStates(lambda: 0.0)
    read = Register.read_in

    async def change_meanwhile(
        self: Register, connection: Connection, names: Iterable[str]
    ) -> dict[str, Tenant]:
        found = await read(self, connection, names)
        states.forget("acme")
        return found

    await ensure_table(driver, MODEL)
    with monkeypatch.context() as patched:
        patched.setattr(Register, "read_in", change_meanwhile)
        assert not (await states.look(driver, ["acme"]))["acme"].is_there
    assert states.nowait("acme") is None
    await states.look(driver, ["acme"])
    assert states.nowait("acme") is not None


async def test_places_are_neither_made_nor_deleted_where_the_schema_is_kept(
    apart: Apart,
) -> None:
    before = declared(apart.url, apart.tenancy)
    fixed = declared(apart.url, apart.tenancy, existing_schema_mode=True)
    async with before:
        await before.tenants.create("acme")
        await before["Invoice"].create(number="1", tenant_id="acme")
        async with fixed:
            with pytest.raises(SchemaProtectedError, match="existing_schema_mode"):
                await fixed.tenants.create("globex")
            with pytest.raises(SchemaProtectedError, match="existing_schema_mode"):
                await fixed.tenants.delete("acme", confirmed=True)
            counted = await fixed.tenants.delete("acme", dry_run=True)
            assert counted.rows == {"Invoice": 1}
            assert [each.name for each in await fixed.tenants.list()] == ["acme"]
            assert await fixed["Invoice"].count(tenant_id="acme") == 1
        await apart.clear(before)
    for db in (fixed, before):
        await db.aclose()
