"""Tenants with a schema each, in one PostgreSQL database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio
import pytest
from postgres import PostgresServer
from structlog.testing import capture_logs
from tenants import Apart, Place

from dataflow import PII, DataFlow, field
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    BlockedError,
    ConnectionLostError,
    DuplicateKeyError,
    TenantNameError,
    TenantPlaceError,
    UrlError,
    WorkflowError,
)
from dataflow.models import declare
from dataflow.protection import allow, deny
from dataflow.schema.migration.applying._lock import advisory_lock
from dataflow.sql import Statement
from dataflow.tenancy import SchemaPlaces, TenantStates

pytestmark = pytest.mark.postgres


def declared(url: str, **options: Any) -> DataFlow:
    unmasked = allow("unmask", when={"principal": "ann"})
    db = DataFlow(url, tenancy="schema", pool_size=4, protection=unmasked, **options)

    @db.model
    class Person:
        name: str
        mail: Annotated[str, PII("email")] = "ann@example.org"

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "audit": "full",
            "subject": True,
        }

    @db.model
    class Note:
        code: str = field(primary_key=True)
        n: int = 0
        person_id: int | None = field(default=None, references="Person")

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "audit": "changes",
            "soft_delete": True,
            "versioned": True,
        }

    return db


@pytest.fixture
async def db(postgres_url: str) -> AsyncIterator[DataFlow]:
    db = declared(postgres_url, audit_key="k" * 16)
    async with db:
        yield db
    await db.aclose()


async def ask(
    bridge: Bridge, url: str, *texts: str, parameters: tuple[Any, ...] = ()
) -> list[Any]:
    """Run statements over a connection of its own; return the rows of the last."""
    driver = connect(parse_url(url), bridge, pool_size=1)
    try:
        async with driver.acquire() as connection:
            statements = [
                Statement(text, parameters, returns_rows=True) for text in texts
            ]
            results = await connection.run(statements)
        return [tuple(row) for row in results[-1].rows]
    finally:
        await driver.aclose()


async def work(db: DataFlow, tenant: str) -> None:
    """Ask nodes of every kind something."""
    with db.acting("ann", tenant=tenant):
        person = await db["Person"].create(name="ann")
        notes, key = db["Note"], person["id"]
        await notes.create(code="a", person_id=key)
        rows = [{"code": f"c{n}", "n": n, "person_id": key} for n in range(600)]
        await notes.bulk_create(rows)
        await notes.bulk_upsert([{**row, "n": 7} for row in rows])
        await notes.bulk_update(filter={"n": 7}, update={"n": 8}, confirmed=True)
        await notes.upsert(where={"code": "b"}, update={"n": 1}, create={})
        await notes.update("a", n=5)
        async with anyio.create_task_group() as tasks:
            for n in range(10):
                tasks.start_soon(notes.read, f"c{n}")
        listed = await notes.list(
            filter={"person.name": "ann", "n": {"$gt": 1}}, include=["person"], limit=3
        )
        assert listed["records"][0]["person"]["name"] == "ann"
        people = await db["Person"].list(include=["notes"])
        assert len(people["records"][0]["notes"]) == 601
        await notes.aggregate(aggregates={"sum": {"$sum": "n"}}, group_by=["n"])
        assert len([row async for row in notes.stream()]) == 602
        await notes.explain(filter={"n": 1}, analyze=True)
        await notes.delete("c1")
        await notes.restore("c1")
        await notes.bulk_delete(filter={"n": 8}, confirmed=True)
        assert [each.action for each in await notes.history("a")] == [
            "insert",
            "update",
        ]
        assert await db["Person"].as_of(datetime.now(UTC), key) is not None
        await notes.bulk_delete(filter={}, confirmed=True, permanent=True)
        await db.privacy.export_subject(key)
        await db.privacy.erase_subject(key, dry_run=False)
    await db.audit.verify(await db.audit.checkpoint(tenant=tenant), tenant=tenant)


NAMED = re.compile(
    r"(?:FROM|INTO|UPDATE|JOIN|TABLE|COPY)\s+(?:ONLY\s+)?"
    r"(\S*\b(?:persons|notes|dataflow_audit\w*|dataflow_subject_keys)\b)"
)
"""What stands where a statement names a table of a tenant."""


async def test_every_statement_for_a_tenant_names_its_schema(postgres_url: str) -> None:
    db = declared(postgres_url, audit_key="k" * 16, echo=True)
    async with db:
        for name in ("acme", "globex"):
            await db.tenants.create(name)
        with capture_logs() as logs:
            await work(db, "acme")
    await db.aclose()
    texts = [each["text"] for each in logs if each["event"] == "statement_run"]

    assert len(texts) > 50
    named = [each for text in texts for each in NAMED.findall(text)]
    assert {each for each in named if not each.startswith('"tenant_acme".')} == set()
    assert len(named) > 50
    assert not [text for text in texts if "globex" in text or "search_path" in text]


async def test_connections_are_given_back_as_they_were(db: DataFlow) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        await work(db, name)

    async def look(driver: Any) -> list[Any]:
        found: list[Any] = []
        async with AsyncExitStack() as stack:
            for _ in range(4):
                connection = await stack.enter_async_context(driver.acquire())
                (result,) = await connection.run((_SETTINGS,))
                found += [tuple(row) for row in result.rows]
        return found

    found = await db._hosting.with_driver(look)  # its connections
    assert found == [('"$user", public', "")] * 4


_SETTINGS = Statement(
    "SELECT current_setting('search_path'), "
    "coalesce(current_setting('dataflow.audit_leaf', true), '')",
    returns_rows=True,
)


async def test_what_a_tenant_has_is_in_its_schema(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    await db.tenants.create("acme")
    await work(db, "acme")
    made = await db.tenants.get("acme")
    assert made.place.startswith("schema tenant_acme of postgresql://")

    found = await ask(
        bridge,
        postgres_url,
        "SELECT DISTINCT nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON "
        "n.oid = relnamespace WHERE relname IN ('persons', 'notes', "
        "'dataflow_subject_keys', 'dataflow_place') "
        "UNION ALL SELECT DISTINCT nspname::text FROM pg_proc AS p JOIN pg_namespace AS "
        "n ON n.oid = pronamespace WHERE proname LIKE 'dataflow%' "
        "AND NOT proname LIKE ANY (SELECT tgname || '%' FROM pg_trigger WHERE tgrelid = "
        "'dataflow_tenants'::regclass)",
    )
    # The register is audited, too, and its audit has a table for keys.
    assert {name for (name,) in found} == {"tenant_acme", "public"}
    models = await ask(
        bridge, postgres_url, "SELECT DISTINCT model FROM dataflow_audit"
    )
    assert models == [("DataflowTenant",)]


async def test_a_model_that_is_declared_later_joins_tenants_that_are_open(
    db: DataFlow,
) -> None:
    await db.tenants.create("acme")
    await db["Note"].create(code="a", tenant_id="acme")

    @db.model
    class Remark:
        note_code: str = field(references="Note")

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    del Remark
    with db.tenant("acme"):
        asked = {"remarks": {"$some": {"id": {"$gt": 0}}}}
        assert (await db["Note"].list(filter=asked))["records"] == []
        await db["Remark"].create(note_code="a")
        assert len((await db["Note"].list(filter=asked))["records"]) == 1


async def test_a_sequence_that_is_behind_is_found_in_the_schema(db: DataFlow) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        with db.tenant(name):
            rows = [{"id": n, "name": "ann"} for n in range(1, 101)]
            await db["Person"].bulk_create(rows)
            assert (await db["Person"].create(name="bob"))["id"] == 101
            more = [{"name": "eve"} for _ in range(60)]
            made = await db["Person"].bulk_create(more, return_ids=True)
            assert made["ids"] == [*range(102, 162)]


async def test_two_at_once_make_one_tenant(postgres_url: str) -> None:
    one, other = declared(postgres_url), declared(postgres_url)
    async with one, other:
        async with anyio.create_task_group() as tasks:
            for db in (one, other):
                for name in ("acme", "globex"):
                    tasks.start_soon(_make, db, name)
        for name in ("acme", "globex"):
            await one["Note"].create(code="a", tenant_id=name)
            with pytest.raises(DuplicateKeyError):
                await other["Note"].create(code="a", tenant_id=name)
    await one.aclose()
    await other.aclose()


async def _make(db: DataFlow, name: str) -> None:
    await db.tenants.create(name, exist_ok=True)


# -- raw SQL ------------------------------------------------------------------------


async def test_raw_sql_is_for_administration_alone(
    db: DataFlow, postgres_url: str
) -> None:
    await db.tenants.create("acme")
    await db["Note"].create(code="a", tenant_id="acme")
    workflow = db.workflow()
    query = {"query": "SELECT code FROM tenant_acme.notes"}
    workflow.add_node("AsyncSQLDatabaseNode", "q", query)
    built = workflow.build()

    with pytest.raises(WorkflowError, match="schema of one tenant"):
        await db.run(built, tenant="acme")
    with pytest.raises(WorkflowError, match="cannot be kept to one tenant"):
        await db.run(built)
    with db.cross_tenant(reason="figures"), pytest.raises(WorkflowError):
        await db.run(built)
    for options in ("application_name=x", "search_path=tenant_acme"):
        sign = "&" if "?" in postgres_url else "?"
        elsewhere = {"connection_string": f"{postgres_url}{sign}{options}"}
        other = db.workflow()
        other.add_node("AsyncSQLDatabaseNode", "q", query | elsewhere)
        with pytest.raises(WorkflowError, match="cannot be kept to one tenant"):
            await db.run(other.build())
    with db.cross_tenant(reason="mending", may_write=True):
        results, _ = await db.run(built)
    assert results["q"]["data"] == [{"code": "a"}]


# -- rules --------------------------------------------------------------------------


async def test_rules_hold_in_the_schema_of_each_tenant(db: DataFlow) -> None:
    notes = db["Note"]
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        with db.tenant(name):
            for person in ("ann", "bob"):
                made = await db["Person"].create(name=person)
                rows = [{"code": f"{person}{n}", "person_id": made["id"]} for n in "12"]
                await notes.bulk_create(rows)
    hidden = deny("read", models="Person", when={"old.name": "bob"}, id="hidden")
    kept = deny("update", models="Note", when={"old.n": {"$gt": 5}}, id="kept")
    with db.protect(hidden, kept, deny("write", max_rows=3, id="few")):
        for name in ("acme", "globex"):
            with db.tenant(name):
                found = await notes.list(include=["person"], order_by="code")
                names = [
                    row["person"] and row["person"]["name"] for row in found["records"]
                ]
                assert names == ["ann", "ann", None, None]
                asked = await notes.count(filter={"person.name": {"$ne": "x"}})
                assert asked == 2
                with pytest.raises(BlockedError, match="few"):
                    await notes.bulk_update(filter={}, update={"n": 1}, confirmed=True)
        with db.tenant("acme"):
            await notes.update("ann1", n=6)
            with pytest.raises(BlockedError, match="kept"):
                await notes.update("ann1", n=1)
        with db.tenant("globex"):
            assert (await notes.update("ann1", n=1))["n"] == 1


async def test_a_trigger_in_one_schema_is_judged_for_its_tenant_alone(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    for name in ("acme", "globex"):
        await db.tenants.create(name)
        await db["Person"].create(name="ann", tenant_id=name)
    await ask(
        bridge,
        postgres_url,
        "CREATE FUNCTION tenant_acme.rename() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN UPDATE tenant_acme.persons SET name = 'eve'; RETURN NULL; END $$",
        "CREATE TRIGGER renames AFTER INSERT ON tenant_acme.notes FOR EACH STATEMENT "
        "EXECUTE FUNCTION tenant_acme.rename()",
    )
    with db.protect(deny("update", models="Person", id="stays")):
        with pytest.raises(BlockedError, match="stays"):
            await db["Note"].create(code="a", tenant_id="acme")
        await db["Note"].create(code="a", tenant_id="globex")
    for name, count in (("acme", 0), ("globex", 1)):
        assert await db["Note"].count(tenant_id=name) == count


# -- migrations ---------------------------------------------------------------------


async def test_migrations_of_tenants_do_not_wait_for_each_other(
    postgres_url: str, bridge: Bridge
) -> None:
    texts = ("CREATE SCHEMA tenant_acme", "CREATE SCHEMA tenant_globex")
    await ask(bridge, postgres_url, *texts)
    places = SchemaPlaces(
        parse_url(postgres_url), None, TenantStates(), limit=2, pool_size=1
    )

    def alone(tenant: str) -> Driver:
        return places.alone(tenant, lambda url: connect(url, bridge, pool_size=1))

    async with AsyncExitStack() as stack:
        for name in ("acme", "globex"):
            driver = alone(name)
            stack.push_async_callback(driver.aclose)
            connection = await stack.enter_async_context(driver.acquire())
            with anyio.fail_after(30):
                await stack.enter_async_context(advisory_lock(connection))
        again = alone("acme")
        stack.push_async_callback(again.aclose)
        connection = await stack.enter_async_context(again.acquire())
        with anyio.move_on_after(0.2) as waited:
            await stack.enter_async_context(advisory_lock(connection))
        assert waited.cancelled_caught


async def test_what_is_recorded_goes_on_behind_a_migration(postgres_url: str) -> None:
    old = declared(postgres_url)
    async with old:
        await old.tenants.create("acme")
        await old["Note"].create(code="a", tenant_id="acme")
    await old.aclose()
    db = DataFlow(postgres_url, tenancy="schema", auto_migrate=True)

    @db.model
    class Note:
        code: str = field(primary_key=True)
        n: int = 0
        more: str = ""

        __dataflow__ = {"multi_tenant": True, "audit": "full"}  # noqa: RUF012

    del Note
    async with db:
        drops = ["notes.person_id", "notes.deleted_at", "notes.version"]
        assert (await db.auto_migrate(tenant="acme", auto_confirm=True, drops=drops))[0]
        await db["Note"].create(code="b", more="x", tenant_id="acme")
        with db.tenant("acme"):
            (change,) = await db["Note"].history("b")
        assert change.new is not None
        assert change.new["more"] == "x"
        found = await db.audit.verify(tenant="acme")
        assert (found.heads, found.n_outside) == ({"Note": 2}, 0)
    await db.aclose()


# -- names --------------------------------------------------------------------------


def test_sqlite_has_no_schemas(sqlite_url: str) -> None:
    with pytest.raises(UrlError, match='tenancy="database" gives each tenant a file'):
        DataFlow(sqlite_url, tenancy="schema")


@pytest.mark.parametrize("pattern", ["tenants", "", "{tenant}{tenant}", "a\n{tenant}"])
def test_a_pattern_that_tells_nobody_apart_is_refused(
    postgres_url: str, pattern: str
) -> None:
    with pytest.raises(ValueError, match=r"write \{tenant\} in it"):
        DataFlow(postgres_url, tenancy="schema", tenant_schema=pattern)
    with pytest.raises(ValueError, match='is for tenancy="schema"'):
        DataFlow(postgres_url, tenant_schema="x_{tenant}")
    called: Any = "tenant_{}".format
    with pytest.raises(TypeError, match="is a str like"):
        DataFlow(postgres_url, tenancy="schema", tenant_schema=called)
    with pytest.raises(ValueError, match="others share no tables"):
        DataFlow(postgres_url, tenancy="schema", row_security=True)


@pytest.mark.parametrize("name", ["public", "pg_x", "information_schema"])
def test_schemas_of_postgresql_are_nobodys(postgres_url: str, name: str) -> None:
    def places(pattern: str | None) -> SchemaPlaces:
        states, url = TenantStates(), parse_url(postgres_url)
        return SchemaPlaces(url, pattern, states, limit=2, pool_size=1)

    with pytest.raises(TenantNameError, match="for itself"):
        places("{tenant}").schema(name)
    assert places(None).schema(name) == f"tenant_{name}"
    long = "a" * 56
    with pytest.raises(TenantNameError, match="64 bytes"):
        places("tenant__{tenant}").schema(long)
    assert places(None).url(long) == parse_url(postgres_url)
    assert not places(None).leads_to(parse_url(postgres_url))
    shared = declare(type("Shared", (), {}))
    assert places(None).model(shared, long) is shared


async def test_a_schema_is_called_as_somebody_likes(postgres_url: str) -> None:
    db = declared(postgres_url, tenant_schema='Kunde "{tenant}"')
    async with db:
        await db.tenants.create("a-b")
        await work(db, "a-b")
        assert (await db.auto_migrate(tenant="a-b", auto_confirm=True))[0]
        assert (await db.tenants.delete("a-b", confirmed=True)).is_done
    await db.aclose()


# -- schemas of others --------------------------------------------------------------


async def test_a_schema_of_somebody_else_is_left_alone(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    await ask(
        bridge,
        postgres_url,
        "CREATE SCHEMA tenant_acme",
        "CREATE TABLE tenant_acme.kept ()",
        "CREATE SCHEMA tenant_globex",
    )
    with pytest.raises(TenantPlaceError, match="no tenant's"):
        await db.tenants.create("acme")
    # Nothing is in it, so it is taken.
    assert (await db.tenants.create("globex")).state == "active"
    with pytest.raises(TenantPlaceError, match="no tenant's, so it is not deleted"):
        await db.tenants.delete("acme", confirmed=True)
    found = await ask(bridge, postgres_url, "SELECT count(*) FROM tenant_acme.kept")
    assert found == [(0,)]


async def test_tables_that_are_there_are_adopted_if_somebody_says_so(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    await ask(
        bridge,
        postgres_url,
        "CREATE SCHEMA tenant_acme",
        "CREATE TABLE tenant_acme.kept ()",
    )
    assert (await db.tenants.create("acme", adopt=True)).state == "active"
    await work(db, "acme")


async def test_a_schema_that_was_given_to_another_tenant_is_closed(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    await db.tenants.create("acme")
    await ask(
        bridge,
        postgres_url,
        "UPDATE tenant_acme.dataflow_place SET tenant = 'globex'",
    )
    other = declared(postgres_url)
    async with other:
        with pytest.raises(TenantPlaceError, match="another tenant's"):
            await other["Note"].count(tenant_id="acme")
        with pytest.raises(TenantPlaceError, match="another tenant's"):
            await other.tenants.delete("acme", confirmed=True)
    await other.aclose()


async def test_a_schema_that_was_renamed_records_what_changes_in_itself(
    db: DataFlow, postgres_url: str, bridge: Bridge
) -> None:
    await db.tenants.create("acme")
    await db["Note"].create(code="a", tenant_id="acme")
    await ask(
        bridge,
        postgres_url,
        "ALTER SCHEMA tenant_acme RENAME TO tenant_globex",
        "UPDATE tenant_globex.dataflow_place SET tenant = 'globex'",
    )
    await db.tenants.create("globex")
    await db.tenants.delete("acme", confirmed=True)
    await db.tenants.create("acme")
    for name, count in (("acme", 1), ("globex", 2)):
        await db["Note"].create(code="b", tenant_id=name)
        found = await db.audit.verify(tenant=name)
        assert (found.heads, found.n_events) == ({"Note": count}, count)


async def test_a_role_that_may_make_no_schemas_is_told_what_it_lacks(
    schemas: Place, postgres_server: PostgresServer, app_role: str, bridge: Bridge
) -> None:
    name = parse_url(schemas.all_url).database
    postgres_server.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
    grant = f"GRANT CREATE ON SCHEMA public TO {app_role}"
    await ask(bridge, schemas.all_url, grant)
    db = declared(schemas.url)
    async with db:
        with pytest.raises(TenantPlaceError, match="GRANT CREATE ON DATABASE"):
            await db.tenants.create("acme")
        await ask(
            bridge,
            schemas.all_url,
            "CREATE SCHEMA tenant_acme",
            f"GRANT USAGE, CREATE ON SCHEMA tenant_acme TO {app_role}",
        )
        assert (await db.tenants.create("acme")).state == "active"
        await work(db, "acme")
        with pytest.raises(TenantPlaceError, match="belongs to another role"):
            await db.tenants.delete("acme", confirmed=True)
        give = f"ALTER SCHEMA tenant_acme OWNER TO {app_role}"
        await ask(bridge, schemas.all_url, give)
        assert (await db.tenants.delete("acme", confirmed=True)).is_done
    await db.aclose()


# -- what was stopped ---------------------------------------------------------------


async def test_a_deletion_that_was_stopped_goes_on(
    db: DataFlow, monkeypatch: pytest.MonkeyPatch, postgres_url: str, bridge: Bridge
) -> None:
    await db.tenants.create("acme")
    await db.tenants.create("globex")
    drop = SchemaPlaces.drop

    async def stop(*given: Any) -> None:
        await drop(*given)
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(SchemaPlaces, "drop", stop)
        with pytest.raises(InterruptedError):
            await db.tenants.delete("acme", confirmed=True)
    assert (await db.tenants.get("acme")).state == "deleting"
    assert (await db.tenants.delete("acme", confirmed=True)).is_done

    found = await ask(
        bridge,
        postgres_url,
        "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'tenant%'",
    )
    assert found == [("tenant_globex",)]
    assert (await db.tenants.create("acme")).state == "active"


@pytest.mark.parametrize("how", ["killed", "cancelled"])
async def test_a_drop_that_is_cut_off_has_dropped_nothing(
    db: DataFlow, postgres_url: str, bridge: Bridge, how: str
) -> None:
    await db.tenants.create("acme")
    await db["Note"].create(code="a", tenant_id="acme")
    holder = connect(parse_url(postgres_url), bridge, pool_size=1)
    async with holder.acquire() as connection, connection.transaction():
        held = "LOCK TABLE tenant_acme.notes IN ACCESS SHARE MODE"
        await connection.run((Statement(held),))

        async def delete() -> None:
            with pytest.raises(ConnectionLostError):
                await db.tenants.delete("acme", confirmed=True)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delete)
                while not (  # noqa: ASYNC110  # a server tells nobody by itself
                    found := await ask(bridge, postgres_url, _WAITS)
                ):
                    await anyio.sleep(0.01)
                if how == "cancelled":
                    tasks.cancel_scope.cancel()
                else:
                    kill = f"SELECT pg_terminate_backend({found[0][0]})"
                    await ask(bridge, postgres_url, kill)
    await holder.aclose()
    notes = "SELECT count(*) FROM tenant_acme.notes"
    assert await ask(bridge, postgres_url, notes) == [(1,)]
    assert (await db.tenants.get("acme")).state == "deleting"
    assert (await db.tenants.delete("acme", confirmed=True)).is_done


_WAITS = (
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND query LIKE 'DROP SCHEMA%' AND datname = current_database()"
)


async def test_a_schema_is_made_with_its_owner_or_not_at_all(
    db: DataFlow, monkeypatch: pytest.MonkeyPatch, postgres_url: str, bridge: Bridge
) -> None:
    async def stop(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr("dataflow.tenancy._schema_places.claim_in", stop)
        with pytest.raises(InterruptedError):
            await db.tenants.create("acme")
    found = await ask(
        bridge,
        postgres_url,
        "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'tenant%'",
    )
    assert found == []
    assert (await db.tenants.create("acme")).state == "active"


async def test_copies_of_a_migration_go_with_their_tenant(
    postgres_url: str,
    bridge: Bridge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # so that they are made in the database
    old = declared(postgres_url)
    async with old:
        for name in ("acme", "globex"):
            await old.tenants.create(name)
            await old["Person"].create(name="ann", tenant_id=name)
    await old.aclose()
    db = DataFlow(postgres_url, tenancy="schema", auto_migrate=False)

    @db.model
    class Person:
        name: str

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    del Person
    async with db:
        await db.tenants.migrate(drops=["persons.mail"], backup=True)
        schemas = (
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'dataflow%'"
        )
        assert len(await ask(bridge, postgres_url, schemas)) == 2
        await db.migrations.of_tenant("acme").roll_back(restore=True)
        await db.tenants.delete("acme", confirmed=True)
        assert len(await ask(bridge, postgres_url, schemas)) == 1
    await db.aclose()


async def test_keys_of_persons_are_wrapped_anew_in_every_place(apart: Apart) -> None:
    keys = [b"1" * 32, b"2" * 32]
    for given, count in ((keys[:1], 0), (keys[::-1], 2), (keys[::-1], 0)):
        db = DataFlow(apart.url, tenancy=apart.tenancy, privacy_keys=given)

        @db.model
        class Person:
            mail: Annotated[str, PII("email")]

            __dataflow__ = {  # noqa: RUF012  as users write it
                "multi_tenant": True,
                "audit": "full",
                "subject": True,
            }

        del Person
        async with db:
            for name in ("acme", "globex"):
                await db.tenants.create(name, exist_ok=True)
                if not count and given == keys[:1]:
                    await db["Person"].create(mail="ann@x", tenant_id=name)
            assert await db.privacy.rotate_keys() == count
            if given != keys[:1] and not count:
                await apart.clear(db)
        await db.aclose()
