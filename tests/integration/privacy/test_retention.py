"""Old rows go as their models say, batch by batch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import pytest

from dataflow import PII, DataFlow, field
from dataflow.errors import (
    PartialViewError,
    PrivacyError,
    RetentionStoppedError,
    UnknownModelError,
)
from dataflow.protection import allow, deny

NOW = datetime(2020, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def with_events(
    database_url: str,
) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(action: str, **options: Any) -> AsyncGenerator[DataFlow]:
        db = DataFlow(database_url, protection=options.pop("protection", None))

        @db.model
        class Event:
            at: datetime | None
            who: Annotated[str, PII("name")] = field(mask="full")
            held: bool = False

            __dataflow__ = {  # noqa: RUF012  as users write it
                "retention": {"after_days": 30, "field": "at", "action": action},
                "legal_hold": "held",
                "soft_delete": True,
                **options,
            }

        async with db:
            await db["Event"].bulk_create(
                [{"at": NOW - timedelta(days=n), "who": f"w{n}"} for n in range(60)]
            )
            await db["Event"].create(at=None, who="never")
            yield db
        await db.aclose()

    return make


async def test_old_rows_are_deleted_in_batches_and_held_ones_stay(
    with_events: Callable[..., Any],
) -> None:
    async with with_events("delete") as db:
        (oldest,) = (await db["Event"].list(limit=1, order_by="at"))["records"]
        oldest = await db["Event"].update(oldest["id"], held=True)
        rows = await db["Event"].list(filter={"at": {"$lt": NOW}}, limit=None)
        await db["Event"].delete(rows["records"][50]["id"])
        (plan,) = await db.privacy.apply_retention(now=NOW)
        assert await db["Event"].count() == 60
        told: list[tuple[str, int]] = []

        def note(model: str, rows: int) -> None:
            told.append((model, rows))

        (done,) = await db.privacy.apply_retention(
            now=NOW,
            dry_run=False,
            batch_size=10,
            on_batch=note,
        )
        left = await db["Event"].count(include_deleted=True)
        (again,) = await db.privacy.apply_retention(now=NOW, dry_run=False)

    n_held = 1 if oldest["at"] is not None else 0
    assert (plan.rows, plan.held, plan.is_done) == (29 - n_held, n_held, False)
    assert plan.before == NOW - timedelta(days=30)
    assert (done.rows, done.batches, done.is_done) == (29 - n_held, 3, True)
    assert told == [("Event", 10), ("Event", 20), ("Event", 29 - n_held)]
    assert left == 61 - done.rows
    assert (again.rows, again.batches) == (0, 0)
    assert again.plain()["action"] == "delete"


async def test_archived_rows_are_moved_as_they_are_stored(
    with_events: Callable[..., Any],
) -> None:
    async with with_events("archive") as db:
        (done,) = await db.privacy.apply_retention(
            now=NOW, dry_run=False, batch_size=10
        )
        shown = (await db["EventArchive"].list(limit=None))["records"]
        with db.protect(allow("unmask")):
            moved = (await db["EventArchive"].list(limit=None))["records"]
        left = await db["Event"].count()
        models = db.list_models()

    assert (done.rows, left) == (29, 32)
    assert {each["who"] for each in moved} == {f"w{n}" for n in range(31, 60)}
    assert {each["who"] for each in shown} == {"***"}
    assert {each["archived_at"] for each in moved} == {NOW}
    assert models == ["Event"]


async def test_old_rows_are_anonymised_once(with_events: Callable[..., Any]) -> None:
    async with with_events("anonymise", protection=[allow("unmask")]) as db:
        (done,) = await db.privacy.apply_retention(
            now=NOW, dry_run=False, batch_size=10
        )
        (again,) = await db.privacy.apply_retention(
            now=NOW, dry_run=False, batch_size=10
        )
        names = [
            each["who"] for each in (await db["Event"].list(limit=None))["records"]
        ]

    assert (done.rows, again.rows) == (29, 0)
    assert names.count("erased") == 29


async def test_who_sees_masks_anonymises_all_the_same(
    with_events: Callable[..., Any],
) -> None:
    async with with_events("anonymise") as db:
        (done,) = await db.privacy.apply_retention(now=NOW, dry_run=False)

    assert done.rows == 29


async def test_a_rule_stops_it_and_says_how_far_it_came(
    with_events: Callable[..., Any],
) -> None:
    async with with_events("archive") as db:
        stay = deny("delete", models="Event", max_rows=5, id="few")
        with db.protect(stay), pytest.raises(RetentionStoppedError) as caught:
            await db.privacy.apply_retention(now=NOW, dry_run=False, batch_size=10)
        moved, left = await db["EventArchive"].count(), await db["Event"].count()
        hidden = deny("read", models="Event", when={"old.held": False}, id="hidden")
        with db.protect(hidden), pytest.raises(PartialViewError):
            await db.privacy.apply_retention(now=NOW)

    assert (caught.value.model, caught.value.done) == ("Event", 0)
    assert "few" in str(caught.value)
    assert (moved, left) == (0, 61)


async def test_dates_and_several_models_age_too(database_url: str) -> None:
    db = DataFlow(database_url)
    aging = {"retention": {"after_days": 1, "field": "day"}}

    @db.model
    class Parent:
        day: date
        __dataflow__ = aging

    @db.model
    class Child:
        parent_id: int = field(references="Parent")
        day: date
        __dataflow__ = aging

    @db.model
    class Other:
        day: date

    async with db:
        for day in (date(2020, 1, 1), date(2020, 5, 31), date(2020, 6, 1)):
            parent = await db["Parent"].create(day=day)
            await db["Child"].create(parent_id=parent["id"], day=day)
        only = await db.privacy.apply_retention(models=["Child"], now=NOW)
        done = await db.privacy.apply_retention(now=NOW, dry_run=False)
        with pytest.raises(PrivacyError, match="no retention"):
            await db.privacy.apply_retention(models=["Other"])
        with pytest.raises(UnknownModelError):
            await db.privacy.apply_retention(models=["Chld"])
    await db.aclose()

    assert [each.model for each in only] == ["Child"]
    assert [(each.model, each.rows) for each in done] == [("Child", 1), ("Parent", 1)]


async def test_nonsense_is_refused(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url) as db:
        with pytest.raises(ValueError, match="with a timezone"):
            await db.privacy.apply_retention(now=datetime(2020, 1, 1))  # noqa: DTZ001
        with pytest.raises(ValueError, match="at least one row"):
            await db.privacy.apply_retention(batch_size=0)
        assert await db.privacy.apply_retention() == []
    await db.aclose()
