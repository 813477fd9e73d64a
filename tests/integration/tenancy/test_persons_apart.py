"""What looks for all rows of a person refuses where it would find only some."""

from __future__ import annotations

from typing import Annotated

import pytest
from tenants import Place

from dataflow import PII, DataFlow
from dataflow.errors import PrivacyError


def declare(db: DataFlow) -> None:
    @db.model
    class Member:
        mail: Annotated[str, PII("email")]

        __dataflow__ = {"multi_tenant": True, "subject": True}  # noqa: RUF012


async def refused(db: DataFlow) -> str:
    """Return why nothing was erased, of a row that is still there."""
    async with db:
        await db.tenants.create("a")
        with db.tenant("a"):
            member = await db["Member"].create(mail="a@x")
            with pytest.raises(PrivacyError) as caught:
                await db.privacy.erase_subject(member["id"], dry_run=False)
            assert await db["Member"].count() == 1
    assert caught.value.model == "Member"
    return caught.value.problem


async def test_rows_behind_policies_are_not_erased_in_part(walled: Place) -> None:
    db = DataFlow(walled.url, **walled.options)
    declare(db)

    assert "row_security" in await refused(db)


async def test_rows_in_databases_of_tenants_are_not_looked_for_in_one(
    sqlite_url: str,
) -> None:
    db = DataFlow(sqlite_url, tenancy="database")
    declare(db)

    assert "a database of its own" in await refused(db)
