"""A row counts its changes, and who changes another version than it read is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from dataflow import DataFlow
from dataflow.errors import FieldValueError, MissingFieldError, VersionConflictError


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    db = DataFlow(database_url, pool_size=4)

    @db.model
    class Page:
        title: str
        n: int = 0

        __dataflow__ = {"versioned": True, "unique": [["title"]]}  # noqa: RUF012

    async with db:
        yield db
    await db.aclose()


async def test_every_change_counts(db: DataFlow) -> None:
    page = await db["Page"].create(title="a")
    assert page["version"] == 1
    assert (await db["Page"].update(page["id"], n=1))["version"] == 2
    assert (await db["Page"].update(filter={"n": 1}, fields={"n": 2}))["version"] == 3
    await db["Page"].bulk_update(filter={"n": 2}, update={"n": {"$inc": 1}})
    await db["Page"].bulk_update(data=[{"id": page["id"], "n": 5}])
    upserted = await db["Page"].upsert(where={"title": "a"}, update={"n": 6})
    assert (upserted["created"], upserted["record"]["version"]) == (False, 6)
    same = await db["Page"].upsert(where={"title": "a"})
    assert same["record"]["version"] == 6
    counts = await db["Page"].bulk_upsert(
        [{"title": "a", "n": 7}, {"title": "b"}], key_fields=["title"]
    )
    assert (counts["inserted"], counts["updated"]) == (1, 1)
    assert (await db["Page"].read(page["id"]))["version"] == 7


@pytest.mark.parametrize("n_rows", [3, 200])
async def test_many_changes_count_once_each(db: DataFlow, n_rows: int) -> None:
    data = [{"title": str(n)} for n in range(n_rows)]
    ids = (await db["Page"].bulk_create(data, return_ids=True))["ids"]
    await db["Page"].bulk_update(data=[{"id": id_, "n": 1} for id_ in ids])
    counts = await db["Page"].bulk_upsert(
        [{"title": str(n), "n": 2} for n in range(n_rows + 1)], key_fields=["title"]
    )

    assert (counts["inserted"], counts["updated"]) == (1, n_rows)
    assert await db["Page"].count({"version": 3}) == n_rows
    assert await db["Page"].count({"version": 1}) == 1


async def test_what_was_changed_meanwhile_is_a_conflict(db: DataFlow) -> None:
    page = await db["Page"].create(title="a")
    key = page["id"]
    await db["Page"].update(key, n=1, version=1)

    with pytest.raises(VersionConflictError) as caught:
        await db["Page"].update(key, n=2, version=1)
    error = caught.value
    assert (error.model, error.key, error.expected, error.found) == (
        "Page",
        {"id": key},
        1,
        2,
    )
    assert "version 1 was expected, and it has 2" in str(error)
    for given in ({"record_id": key}, {"filter": {"title": "a"}}):
        with pytest.raises(VersionConflictError):
            await db["Page"].update(**given, fields={"n": 3}, expected_version=7)
        with pytest.raises(VersionConflictError):
            await db["Page"].delete(**given, expected_version=7)
    with pytest.raises(VersionConflictError):
        await db["Page"].update(key, fields={}, version=9)
    assert (await db["Page"].read(key))["n"] == 1
    assert (await db["Page"].update(key, fields={}, version=2))["updated"] is False
    assert (await db["Page"].delete(key, version=2))["deleted"] is True
    assert (await db["Page"].delete(key, version=2))["deleted"] is False


async def test_of_many_who_change_one_version_one_succeeds(db: DataFlow) -> None:
    key = (await db["Page"].create(title="a"))["id"]
    outcomes: list[bool] = []

    async def change(n: int) -> None:
        try:
            await db["Page"].update(key, n=n, version=1)
        except VersionConflictError:
            outcomes.append(False)
        else:
            outcomes.append(True)

    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(change, n)

    assert sum(outcomes) == 1
    assert len(outcomes) == 20
    assert (await db["Page"].read(key))["version"] == 2


@pytest.mark.parametrize("n_rows", [3, 1200])
async def test_a_conflict_undoes_a_bulk_update(db: DataFlow, n_rows: int) -> None:
    made = await db["Page"].bulk_create(
        [{"title": str(n)} for n in range(n_rows)], return_ids=True
    )
    ids = made["ids"]
    rows = [{"id": id_, "n": 1, "version": 1} for id_ in ids]
    done = await db["Page"].bulk_update(data=[*rows[:-1], {**rows[0], "id": 0}])
    assert (done["updated"], done["skipped"]) == (n_rows - 1, 1)
    with pytest.raises(VersionConflictError) as caught:
        await db["Page"].bulk_update(data=[{**rows[-1], "n": 2}, *rows[1:]])
    assert (caught.value.expected, caught.value.found) == (1, 2)
    assert (await db["Page"].read(ids[-1]))["n"] == 0
    twice = [{**rows[-1], "n": n} for n in (3, 4)]
    with pytest.raises(VersionConflictError):
        await db["Page"].bulk_update(data=twice)


@pytest.mark.parametrize("version", [0, "1", True, 1.0])
async def test_what_is_no_version_is_refused(db: DataFlow, version: Any) -> None:
    with pytest.raises(FieldValueError, match="a version, from 1 on"):
        await db["Page"].update(1, n=1, version=version)
    with pytest.raises(FieldValueError, match="a version, from 1 on"):
        await db["Page"].bulk_update(data=[{"id": 1, "n": 1, "version": version}])


async def test_one_version_is_said_once(db: DataFlow) -> None:
    with pytest.raises(FieldValueError, match="a second version"):
        await db["Page"].update(1, n=1, version=1, expected_version=1)
    with pytest.raises(MissingFieldError, match="to change"):
        await db["Page"].bulk_update(data=[{"id": 1, "version": 1}])
    with pytest.raises(FieldValueError, match="written by the nodes alone"):
        await db["Page"].create(title="b", version=3)
