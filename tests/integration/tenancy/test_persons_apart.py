"""Persons of one tenant are found there, whatever keeps it apart from the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from tenants import Apart, Place

from dataflow import PII, DataFlow
from dataflow.errors import PrivacyError, SubjectNotFoundError


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


async def test_persons_in_shared_tables_are_those_of_the_tenant(
    database_url: str,
) -> None:
    db = DataFlow(database_url)
    declare(db)

    await holds(db, names_tenants=False)
