"""Persons of one tenant are found there, whatever keeps it apart from the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from tenants import Apart, Place

from dataflow import PII, DataFlow
from dataflow.errors import (
    PrivacyError,
    SubjectNotFoundError,
    TenantRequiredError,
)


def declare(db: DataFlow) -> None:
    @db.model
    class Shared:
        text: str

    @db.model
    class Member:
        mail: Annotated[str, PII("email")]

        __dataflow__ = {"multi_tenant": True, "subject": True}  # noqa: RUF012

    @db.model
    class Letter:
        text: str
        member_id: int

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "timestamps": True,
            "foreign_keys": [{"fields": ["member_id"], "references": "Member"}],
            "retention": {"after_days": 30, "field": "created_at"},
        }

    del Shared, Member, Letter


async def holds(db: DataFlow, *, names_tenants: bool) -> None:
    """Erase a person and what is old of one tenant, and look at another one."""
    async with db:
        member: dict[str, Any] = {}
        for name in ("a", "b"):
            await db.tenants.create(name)
            with db.tenant(name):
                member = await db["Member"].create(mail=f"{name}@x")
                await db["Letter"].create(text="hello", member_id=member["id"])
        if names_tenants:
            with pytest.raises(PrivacyError, match=r"db\.tenant") as caught:
                await db.privacy.erase_subject(member["id"], dry_run=False)
            assert caught.value.model in {"Member", "Letter"}
            with pytest.raises(PrivacyError, match=r"db\.tenant"):
                await db.privacy.apply_retention(dry_run=False)
        later = datetime.now(UTC) + timedelta(days=60)
        with db.tenant("b"):
            (step,) = await db.privacy.apply_retention(now=later)
            assert step.rows == 1
        with db.tenant("a"):
            own = (await db["Member"].list())["records"][0]["id"]
            erased = await db.privacy.erase_subject(own, dry_run=False)
            assert erased.n_rows == 2
            assert await db["Member"].count() == await db["Letter"].count() == 0
            with pytest.raises(SubjectNotFoundError):
                await db.privacy.erase_subject(own)
        with db.tenant("b"):
            assert await db["Letter"].count() == 1
            (step,) = await db.privacy.apply_retention(dry_run=False, now=later)
            assert (step.rows, await db["Letter"].count()) == (1, 0)
            assert await db["Member"].count() == 1
        for name in ("a", "b"):
            await db.tenants.delete(name, confirmed=True)
    await db.aclose()


async def test_persons_behind_policies_are_those_of_the_tenant(walled: Place) -> None:
    db = DataFlow(walled.url, **walled.options)
    declare(db)

    await holds(db, names_tenants=True)


async def test_persons_in_places_of_tenants_are_those_of_the_tenant(
    apart: Apart,
) -> None:
    db = DataFlow(apart.url, tenancy=apart.tenancy)
    declare(db)

    await holds(db, names_tenants=True)


async def test_what_is_archived_of_a_tenant_stays_with_it(kept: Apart) -> None:
    db = DataFlow(kept.url, tenancy=kept.tenancy)

    @db.model
    class Note:
        n: int = 0

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "timestamps": True,
            "retention": {
                "after_days": 30,
                "field": "created_at",
                "action": "archive",
            },
        }

    del Note
    later = datetime.now(UTC) + timedelta(days=60)
    async with db:
        for name, count in (("a", 3), ("b", 5)):
            await db.tenants.create(name)
            await db["Note"].bulk_create(
                [{"n": n} for n in range(count)], tenant_id=name
            )
        for name, count in (("a", 3), ("b", 5)):
            with db.tenant(name):
                await db.privacy.apply_retention(dry_run=False, now=later)
                assert await db["Note"].count() == 0
                assert await db["NoteArchive"].count() == count
        with pytest.raises(TenantRequiredError):
            await db["NoteArchive"].count()
        await db.tenants.delete("a", confirmed=True)
        assert await db["NoteArchive"].count(tenant_id="b") == 5
        await kept.clear(db)
    await db.aclose()


async def test_persons_in_shared_tables_are_those_of_the_tenant(
    database_url: str,
) -> None:
    db = DataFlow(database_url)
    declare(db)

    await holds(db, names_tenants=False)
