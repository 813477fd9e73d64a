"""Who works for a tenant, who for none, and who for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest
import structlog
from tenants import Place

from dataflow import DataFlow, field
from dataflow.errors import (
    DataFlowError,
    DuplicateKeyError,
    FieldValueError,
    MissingFieldError,
    TenantMismatchError,
    TenantRequiredError,
    TenantScopeError,
    WorkflowError,
)

READ = "SELECT name FROM notes"


@pytest.fixture
async def db(place: Place) -> AsyncIterator[DataFlow]:
    db = DataFlow(place.url, pool_size=4, **place.options)

    @db.model
    class Note:
        name: str
        n: int = 0

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "unique": [["name"]],
        }

    @db.model
    class Setting:
        code: str = field(primary_key=True)
        area: str = field(primary_key=True)
        value: int = 0

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    @db.model
    class Country:
        name: str

    async with db:
        yield db
    await db.aclose()


async def _run(db: DataFlow, node: str, given: dict[str, Any], **names: Any) -> Any:
    workflow = db.workflow()
    workflow.add_node(node, "it", given)
    results, _ = await db.run(workflow.build(), **names)
    return results["it"]


# -- for whom -----------------------------------------------------------------------


async def test_the_tenant_comes_from_the_node_as_well(db: DataFlow) -> None:
    made = await _run(db, "NoteCreateNode", {"name": "data", "tenant_id": "t1"})

    assert made["tenant_id"] == "t1"
    assert await _run(db, "NoteCountNode", {"tenant_id": "t1"}) == {"count": 1}
    assert await _run(db, "NoteCountNode", {"tenant_id": "t2"}) == {"count": 0}


async def test_the_tenant_comes_from_the_run(db: DataFlow) -> None:
    made = await _run(db, "NoteCreateNode", {"name": "data"}, tenant="t1")

    assert made["tenant_id"] == "t1"
    assert (await _run(db, "NoteCountNode", {}, tenant="t1"))["count"] == 1


async def test_the_tenant_comes_from_the_block(db: DataFlow) -> None:
    with db.tenant("t1"):
        await db["Note"].create(name="data")
        with db.tenant("t1"):
            assert await db["Note"].count() == 1
    with db.tenant("t2"):
        assert await db["Note"].count() == 0


async def test_the_tenant_comes_from_whom_the_code_acts_for(db: DataFlow) -> None:
    with db.acting("ann", tenant="t1"):
        made = await db["Note"].create(name="data")

    assert made["tenant_id"] == "t1"


async def test_without_a_tenant_nothing_is_done(db: DataFlow) -> None:
    for call in (
        partial(db["Note"].create, name="a"),
        partial(db["Note"].list),
        partial(db["Note"].bulk_create, [{"name": "a"}]),
        partial(db["Note"].bulk_delete, filter={}, confirmed=True),
    ):
        with pytest.raises(TenantRequiredError, match="was told none"):
            await call()


@pytest.mark.parametrize("tenant", ["", 7])
async def test_what_is_no_tenant_is_refused(db: DataFlow, tenant: Any) -> None:
    with pytest.raises(FieldValueError, match="the name of a tenant"):
        await db["Note"].list(tenant_id=tenant)
    with pytest.raises(TypeError, match="not empty"), db.tenant(tenant):
        pass


async def test_a_node_names_no_other_tenant_than_its_run(db: DataFlow) -> None:
    with pytest.raises(WorkflowError) as caught:
        await _run(db, "NoteListNode", {"tenant_id": "t2"}, tenant="t1")

    assert isinstance(caught.value.__cause__, TenantMismatchError)
    assert "t1" not in str(caught.value)
    assert "t2" not in str(caught.value)


async def test_the_nodes_of_a_run_are_for_one_tenant(db: DataFlow) -> None:
    workflow = db.workflow()
    workflow.add_node("NoteCreateNode", "first", {"name": "a", "tenant_id": "t1"})
    workflow.add_node("NoteListNode", "second", {"tenant_id": "t2"})
    workflow.add_connection("first", "n", "second", "offset")

    with pytest.raises(WorkflowError, match="the run"):
        await db.run(workflow.build())


async def test_a_block_for_one_tenant_lets_nobody_out(db: DataFlow) -> None:
    with db.tenant("t1"):
        with pytest.raises(TenantMismatchError), db.tenant("t2"):
            pass
        with pytest.raises(TenantMismatchError), db.acting(tenant="t2"):
            pass
        with pytest.raises(TenantMismatchError):
            await _run(db, "CountryListNode", {}, tenant="t2")
        with (
            pytest.raises(TenantScopeError, match="does not get at the others"),
            db.cross_tenant(reason="curious"),
        ):
            pass


async def test_a_function_of_a_run_works_for_its_tenant(db: DataFlow) -> None:
    async def count() -> dict[str, Any]:
        with pytest.raises(TenantMismatchError), db.tenant("t2"):
            pass
        with pytest.raises(TenantMismatchError):
            await _run(db, "NoteListNode", {}, tenant="t2")
        return {"count": await db["Note"].count()}

    with db.tenant("t1"):
        await db["Note"].create(name="a")
    workflow = db.workflow()
    workflow.add_node(count, "count")
    results, _ = await db.run(workflow.build(), tenant="t1")

    assert results["count"] == {"count": 1}


async def test_models_without_tenants_are_as_before(db: DataFlow) -> None:
    await db["Country"].create(name="Chad")
    with db.tenant("t1"):
        assert await db["Country"].count() == 1


# -- rows -----------------------------------------------------------------------------


async def test_no_row_goes_to_another_tenant(db: DataFlow) -> None:
    note = await db["Note"].create(name="a", tenant_id="t1")
    calls = (
        partial(db["Note"].update, note["id"], fields={"tenant_id": "t2"}),
        partial(db["Note"].bulk_update, filter={}, update={"tenant_id": "t2"}),
        partial(
            db["Note"].bulk_update, data=[{"id": note["id"], "n": 9, "tenant_id": "t2"}]
        ),
        partial(db["Note"].bulk_create, [{"name": "b", "tenant_id": "t2"}]),
        partial(
            db["Note"].upsert,
            where={"name": "a"},
            update={"tenant_id": "t2"},
        ),
    )
    with db.tenant("t1"):
        for call in calls:
            with pytest.raises(DataFlowError) as caught:
                await call(**({"confirmed": True} if "filter" in call.keywords else {}))
            assert isinstance(caught.value, TenantMismatchError), call

    assert (await db["Note"].list(tenant_id="t1"))["records"] == [
        {**note, "tenant_id": "t1"}
    ]


async def test_what_says_its_own_tenant_is_fine(db: DataFlow) -> None:
    with db.tenant("t1"):
        await db["Note"].bulk_create([{"name": n, "tenant_id": "t1"} for n in "abc"])
        found = await db["Note"].update(
            filter={"name": "a"}, fields={"tenant_id": "t1", "n": 1}
        )
        same = await db["Note"].update(found["id"], fields={"tenant_id": "t1"})
        by_filter = await db["Note"].update(
            filter={"name": "b"}, fields={"tenant_id": "t1"}
        )
        counts = await db["Note"].bulk_update(
            data=[{"id": found["id"], "tenant_id": "t1", "n": 3}]
        )
        await db["Note"].bulk_upsert(
            [{"name": "a", "tenant_id": "t1", "n": 4}], key_fields=["name"]
        )
        with pytest.raises(MissingFieldError, match="to change"):
            await db["Note"].bulk_update(data=[{"id": found["id"], "tenant_id": "t1"}])

        assert (same["n"], by_filter["n"]) == (1, 0)
        assert counts["updated"] == 1
        assert (await db["Note"].read(found["id"]))["n"] == 4


@pytest.mark.parametrize("n_rows", [3, 300])
async def test_bulk_nodes_find_the_rows_of_their_tenant(
    db: DataFlow, n_rows: int
) -> None:
    def rows(start: int, n: int) -> list[dict[str, Any]]:
        return [{"name": str(at), "n": n} for at in range(start, start + n_rows)]

    await db["Note"].bulk_create(rows(0, 0), tenant_id="t2")
    with db.tenant("t1"):
        made = await db["Note"].bulk_create(rows(0, 1), return_ids=True)
        again = await db["Note"].bulk_create(
            rows(1, 2), conflict_resolution="skip", key_fields=["name"]
        )
        upserted = await db["Note"].bulk_upsert(
            rows(1, 3), key_fields=["name"], return_ids=True
        )
        counts = await db["Note"].bulk_update(
            data=[{"id": id_, "n": 4} for id_ in made["ids"]]
        )
        assert made["inserted"] == n_rows
        assert (again["inserted"], again["skipped"]) == (1, n_rows - 1)
        assert (upserted["inserted"], upserted["updated"]) == (0, n_rows)
        assert upserted["ids"][: n_rows - 1] == made["ids"][1:]
        assert counts["updated"] == n_rows
        assert await db["Note"].count({"n": 4}) == n_rows
    with db.tenant("t2"):
        assert await db["Note"].count({"n": 0}) == n_rows
        others = await db["Note"].bulk_delete(ids=made["ids"])
        assert others["deleted"] == 0


async def test_what_is_unique_is_so_for_one_tenant(db: DataFlow) -> None:
    for tenant in ("t1", "t2"):
        await db["Note"].create(name="same", tenant_id=tenant)

    with pytest.raises(DuplicateKeyError):
        await db["Note"].create(name="same", tenant_id="t2")


async def test_a_generated_key_is_never_given(db: DataFlow) -> None:
    with db.tenant("t1"):
        note = await db["Note"].create(name="a")
        for call in (
            partial(db["Note"].create, name="b", id=note["id"] + 1),
            partial(db["Note"].update, note["id"], fields={"id": 77}),
            partial(db["Note"].upsert, where={"id": 77}, create={"name": "b"}),
            partial(db["Note"].bulk_create, [{"name": "b", "id": 78}]),
            partial(
                db["Note"].bulk_create, [{"name": str(n), "id": n} for n in range(99)]
            ),
            partial(db["Note"].bulk_upsert, [{"name": "b", "id": 78}]),
        ):
            with pytest.raises(FieldValueError, match="the database makes the keys"):
                await call()
        assert await db["Note"].count() == 1


async def test_composite_keys_are_those_of_a_tenant(db: DataFlow) -> None:
    key = {"code": "tax", "area": "north"}
    for tenant, value in (("t1", 1), ("t2", 2)):
        await db["Setting"].create(**key, value=value, tenant_id=tenant)

    assert (await db["Setting"].read(key, tenant_id="t1"))["value"] == 1
    await db["Setting"].bulk_delete(ids=[key], tenant_id="t1")
    with db.tenant("t1"):
        assert await db["Setting"].count() == 0
    with db.tenant("t2"):
        assert (await db["Setting"].read(("tax", "north")))["value"] == 2


async def test_a_thousand_runs_of_two_tenants_see_their_own_rows(db: DataFlow) -> None:
    workflow = db.workflow()
    workflow.add_node("NoteUpsertNode", "make", {"where": {"name": ""}})
    workflow.add_node("NoteListNode", "look", {})
    workflow.add_connection("make", "created", "look", "count")
    built = workflow.build()
    foreign: list[Any] = []

    async def run(number: int) -> None:
        tenant = f"t{number % 2}"
        given = {"make": {"where": {"name": str(number // 20)}}}
        results, _ = await db.run(built, given, tenant=tenant)
        records = [results["make"]["record"], *results["look"]["records"]]
        foreign.extend(row for row in records if row["tenant_id"] != tenant)

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(run, number)

    assert foreign == []


# -- all of them ------------------------------------------------------------------------


async def test_across_tenants_filters_mean_all_rows(db: DataFlow) -> None:
    for tenant in ("t1", "t2"):
        await db["Note"].create(name="a", tenant_id=tenant)
    with (
        structlog.testing.capture_logs() as logs,
        db.cross_tenant(reason="count them"),
    ):
        assert await db["Note"].count() == 2
        page = await db["Note"].list(limit=1)
        rest = await db["Note"].list(limit=1, cursor=page["next_cursor"])
        assert rest["records"][0]["tenant_id"] == "t2"
        assert (await db["Note"].list(tenant_id="t2"))["count"] == 1

    accesses = [each for each in logs if each["event"] == "cross_tenant_access"]
    assert [each["reason"] for each in accesses] == ["count them"] * 4


async def test_across_tenants_nothing_is_written_unless_asked(db: DataFlow) -> None:
    await db["Note"].create(name="a", tenant_id="t1")
    with db.cross_tenant(reason="look"):
        with pytest.raises(TenantScopeError, match="only reads"):
            await db["Note"].bulk_delete(filter={}, confirmed=True)
        with pytest.raises(TenantScopeError, match="raw SQL"):
            await _sql(db)
    with db.cross_tenant(reason="clean up", may_write=True):
        counts = await db["Note"].bulk_update(filter={"n": 0}, update={"n": 5})
        made = await db["Note"].create(name="b", tenant_id="t2")
        assert (counts["updated"], made["tenant_id"]) == (1, "t2")
        assert (await _sql(db))["row_count"] == 2
        counts = await db["Note"].bulk_delete(filter={"name": "a"})
        assert counts["deleted"] == 1


async def test_across_tenants_rows_have_no_key_of_their_own(db: DataFlow) -> None:
    with db.cross_tenant(reason="mend", may_write=True):
        for call in (
            partial(db["Note"].create, name="a"),
            partial(db["Note"].read, 1),
            partial(db["Note"].update, 1, n=1),
            partial(db["Note"].delete, 1),
            partial(db["Note"].upsert, where={"name": "a"}),
            partial(db["Note"].bulk_create, [{"name": "a"}]),
            partial(db["Note"].bulk_create, [{"name": str(n)} for n in range(99)]),
            partial(db["Note"].bulk_upsert, [{"name": "a"}], key_fields=["name"]),
            partial(db["Note"].bulk_update, data=[{"id": 1, "n": 1}]),
            partial(db["Note"].bulk_delete, ids=[1]),
        ):
            with pytest.raises(TenantScopeError, match="no key of its own"):
                await call()
        await _fails_in_turns(partial(db["Note"].read, 1))


async def _fails_in_turns(call: Callable[[], Awaitable[Any]]) -> None:
    async def fail() -> None:
        with pytest.raises(TenantScopeError):
            await call()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(fail)


async def test_leave_for_all_tenants_wants_a_reason(db: DataFlow) -> None:
    with pytest.raises(TypeError, match="a reason"), db.cross_tenant(reason=" "):
        pass


async def test_inside_a_block_for_all_a_block_for_one_is_just_that(
    db: DataFlow,
) -> None:
    with db.cross_tenant(reason="fan out", may_write=True), db.tenant("t1"):
        await db["Note"].create(name="a")
        with pytest.raises(TenantScopeError, match="raw SQL"):
            await _sql(db)


# -- raw SQL ----------------------------------------------------------------------------


async def _sql(db: DataFlow, **names: Any) -> Any:
    try:
        return await _run(db, "AsyncSQLDatabaseNode", {"query": READ}, **names)
    except WorkflowError as error:
        raise error.__cause__ or error from None


@pytest.mark.parametrize("tenant", [None, "t1"])
async def test_raw_sql_cannot_be_kept_to_a_tenant(
    db: DataFlow, tenant: str | None
) -> None:
    with pytest.raises(TenantScopeError, match="raw SQL cannot be kept"):
        await _sql(db, tenant=tenant)


async def test_raw_sql_is_as_before_where_nothing_has_tenants(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url) as db:
        result = await _run(
            db, "AsyncSQLDatabaseNode", {"query": "SELECT 1 AS one"}, tenant="t1"
        )

    assert result["data"] == [{"one": 1}]
