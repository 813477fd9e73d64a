"""Deleted rows are kept and marked, and are not there for anybody who does not ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    DuplicateKeyError,
    FieldValueError,
    RecordNotFoundError,
    UnknownFieldError,
    UnknownNodeError,
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    db = DataFlow(database_url, pool_size=4)

    @db.model
    class Person:
        email: str = field(unique=True)
        age: int = 0

        __dataflow__ = {"soft_delete": True, "timestamps": True}  # noqa: RUF012

    @db.model
    class Part:
        code: str = field(primary_key=True)
        lot: int = field(primary_key=True)
        n: int = 0

        __dataflow__ = {  # noqa: RUF012  as users write it
            "soft_delete": True,
            "versioned": True,
            "multi_tenant": True,
            "indexes": [{"fields": ["n"], "unique": True, "name": "by_n"}],
        }

    @db.model
    class Plain:
        name: str

    async with db:
        yield db
    await db.aclose()


async def _people(db: DataFlow, count: int) -> list[int]:
    data = [{"email": f"{n}@x", "age": n} for n in range(count)]
    made = await db["Person"].bulk_create(data, return_ids=True)
    ids: list[int] = made["ids"]
    return ids


async def test_a_deleted_row_is_not_there(db: DataFlow) -> None:
    first, second = await _people(db, 2)

    assert (await db["Person"].delete(first)) == {"id": first, "deleted": True}
    assert (await db["Person"].delete(first))["deleted"] is False
    assert (await db["Person"].update(first, age=5))["updated"] is False
    with pytest.raises(RecordNotFoundError):
        await db["Person"].read(first)
    assert await db["Person"].count() == 1
    listed = await db["Person"].list(filter={"age": {"$lt": 9}}, count=True)
    assert [row["id"] for row in listed["records"]] == [second]
    assert listed["total"] == 1
    changed = await db["Person"].bulk_update(
        data=[{"id": first, "age": 7}, {"id": second, "age": 7}]
    )
    assert changed["updated"] == 1


async def test_deleted_rows_are_there_for_who_asks(db: DataFlow) -> None:
    first, _ = await _people(db, 2)
    await db["Person"].delete(filter={"email": "0@x"})

    found = await db["Person"].read(first, include_deleted=True)
    assert found["deleted_at"] is not None
    assert await db["Person"].count(include_deleted=True) == 2
    listed = await db["Person"].list(include_deleted=True, filter={"age": 0})
    assert listed["count"] == 1
    with pytest.raises(FieldValueError, match="include_deleted"):
        await db["Person"].count(include_deleted="yes")
    with pytest.raises(UnknownFieldError):
        await db["Plain"].list(include_deleted=True)


async def test_a_deleted_row_is_restored(db: DataFlow) -> None:
    first, second = await _people(db, 2)
    await db["Person"].delete(first)

    restored = await db["Person"].restore(first)
    assert (restored["restored"], restored["deleted_at"]) == (True, None)
    assert (await db["Person"].restore(second))["restored"] is False
    assert (await db["Person"].restore(99))["restored"] is False
    with pytest.raises(UnknownNodeError, match="PlainRestoreNode"):
        await db["Plain"].restore(1)
    workflow = db.workflow()
    workflow.add_node("PersonRestoreNode", "again", {"filter": {"email": "0@x"}})
    results, _ = await db.run(workflow.build())
    assert results["again"]["restored"] is False


async def test_what_was_unique_is_free_again(db: DataFlow) -> None:
    (first,) = await _people(db, 1)
    await db["Person"].delete(first)

    again = await db["Person"].create(email="0@x")
    with pytest.raises(DuplicateKeyError):
        await db["Person"].restore(first)
    with pytest.raises(DuplicateKeyError):
        await db["Person"].create(email="0@x")
    upserted = await db["Person"].upsert(where={"email": "0@x"}, update={"age": 9})
    assert (upserted["created"], upserted["record"]["id"]) == (False, again["id"])


@pytest.mark.parametrize("n_rows", [4, 120])
async def test_many_rows_are_deleted_and_upserted_again(
    db: DataFlow, n_rows: int
) -> None:
    ids = await _people(db, n_rows)

    deleted = await db["Person"].bulk_delete(ids=[*ids[1:], 0])
    assert (deleted["deleted"], deleted["skipped"]) == (n_rows - 1, 1)
    assert (await db["Person"].bulk_delete(ids=ids))["deleted"] == 1
    assert await db["Person"].count() == 0
    # By what is unique they are new rows, by the key those that were deleted.
    data = [{"email": f"{n}@x", "age": -1} for n in range(n_rows)]
    made = await db["Person"].bulk_upsert(data, key_fields=["email"], return_ids=True)
    assert (made["inserted"], made["updated"]) == (n_rows, 0)
    assert not set(made["ids"]) & set(ids)
    await db["Person"].bulk_delete(filter={}, confirmed=True)
    data = [{"id": id_, "email": f"n{id_}@x"} for id_ in ids]
    counts = await db["Person"].bulk_upsert(data)
    assert (counts["inserted"], counts["updated"]) == (0, n_rows)
    assert await db["Person"].count() == n_rows
    assert await db["Person"].count(include_deleted=True) == 2 * n_rows


async def test_rows_are_deleted_for_good_when_asked(db: DataFlow) -> None:
    ids = await _people(db, 5)
    await db["Person"].delete(ids[0])

    gone = await db["Person"].delete(ids[0], permanent=True)
    assert gone["deleted"] is True
    counts = await db["Person"].bulk_delete(ids=ids[:3], permanent=True)
    assert counts["deleted"] == 2
    by_filter = await db["Person"].bulk_delete(filter={"age": 3}, permanent=True)
    assert by_filter["deleted"] == 1
    assert await db["Person"].count(include_deleted=True) == 1


async def test_messages_of_a_turn_see_what_each_asked_for(db: DataFlow) -> None:
    ids = await _people(db, 6)
    results: dict[int, Any] = {}

    async def delete(at: int) -> None:
        results[at] = await db["Person"].delete(ids[at], permanent=at % 2 == 0)

    async def read(at: int) -> None:
        results[at] = await db["Person"].read(
            ids[at], include_deleted=at % 2 == 1, raise_on_not_found=False
        )

    for call in (delete, read):
        async with anyio.create_task_group() as tasks:
            for at in range(6):
                tasks.start_soon(call, at)

    assert [results[at]["found"] for at in range(6)] == [False, True] * 3


async def test_nobody_writes_the_mark_but_the_nodes(db: DataFlow) -> None:
    (first,) = await _people(db, 1)
    for call in (
        partial(db["Person"].create, email="b@x", deleted_at=None),
        partial(db["Person"].update, first, deleted_at=None),
        partial(db["Person"].bulk_create, [{"email": "b@x", "deleted_at": None}]),
        partial(
            db["Person"].bulk_update, filter={"age": 0}, update={"deleted_at": None}
        ),
    ):
        with pytest.raises(FieldValueError, match="written by the nodes alone"):
            await call()


async def test_all_of_it_holds_together(db: DataFlow) -> None:
    key = {"code": "a", "lot": 1}
    for tenant in ("t1", "t2"):
        await db["Part"].create(**key, n=1, tenant_id=tenant)
    with db.tenant("t1"):
        await db["Part"].delete(key)
        again = await db["Part"].upsert(where=key, update={"n": 2})
        assert (again["action"], again["record"]["version"]) == ("updated", 3)
        await db["Part"].bulk_delete(ids=[key])
        await db["Part"].create(code="b", lot=1, n=2)
        counts = await db["Part"].bulk_upsert(
            [{**key, "n": 3}, {"code": "c", "lot": 1}]
        )
        assert (counts["inserted"], counts["updated"]) == (1, 1)
        assert (await db["Part"].read(key))["version"] == 5
        await db["Part"].bulk_delete(ids=[key])
        unchanged = await db["Part"].upsert(where=key)
        assert unchanged["record"]["deleted_at"] is None
        found = await db["Part"].bulk_create(
            [{**key, "n": 8}], conflict_resolution="skip"
        )
        assert found["skipped"] == 1
    with db.tenant("t2"):
        assert (await db["Part"].read(key))["version"] == 1


async def test_workflows_say_so_too(db: DataFlow) -> None:
    first, second = await _people(db, 2)
    workflow = db.workflow()
    workflow.add_node("PersonDeleteNode", "gone", {"id": first})
    workflow.add_node("PersonCountNode", "all", {})
    workflow.add_connection("gone", "deleted", "all", "include_deleted")
    results, _ = await db.run(workflow.build())
    assert results["all"] == {"count": 2}
    wrong = db.workflow()
    wrong.add_node("PersonListNode", "it", {"include_deleted": 1})
    with pytest.raises(FieldValueError, match="include_deleted"):
        wrong.build()

    await db["Person"].delete(second)
    async with anyio.create_task_group() as tasks:
        for key in (first, second, 77):
            tasks.start_soon(db["Person"].restore, key)
    assert await db["Person"].count() == 2
