"""What deletes a tenant counts once where rules say how often something may be done."""

from __future__ import annotations

import pytest

from dataflow import DataFlow
from dataflow.errors import BlockedError
from dataflow.protection import Rule, deny


def declared(url: str, tenancy: str, *rules: Rule) -> DataFlow:
    db = DataFlow(url, tenancy=tenancy, protection=[*rules])  # type: ignore[arg-type]

    @db.model
    class Item:
        name: str

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

    del Item
    return db


@pytest.mark.parametrize("tenancy", ["row", "database"])
async def test_deleting_a_tenant_counts_once_for_a_rate(
    database_url: str, tenancy: str, request: pytest.FixtureRequest
) -> None:
    action = "delete" if tenancy == "row" else "schema"
    db = declared(database_url, tenancy, deny(action, rate="1/day", id="slow"))
    async with db:
        for name in ("acme", "globex"):
            await db.tenants.create(name)
            await db["Item"].create(name="x", tenant_id=name)
        assert (await db.tenants.delete("acme", confirmed=True)).is_done
        with pytest.raises(BlockedError, match="slow"):
            await db.tenants.delete("globex", confirmed=True)
        assert (await db.tenants.get("globex")).state == "active"
        assert await db["Item"].count(tenant_id="globex") == 1
    await db.aclose()
    apart = db._database.apart
    if apart is not None and database_url.startswith("postgres"):
        server = request.getfixturevalue("postgres_server")
        server.drop(apart.url("globex").database)


async def test_rows_are_deleted_though_nobody_may_count_them(
    sqlite_url: str,
) -> None:
    db = declared(sqlite_url, "row", deny("read", id="blind"))
    async with db:
        await db.tenants.create("acme")
        await db["Item"].create(name="x", tenant_id="acme")
        gone = await db.tenants.delete("acme", confirmed=True)
    await db.aclose()

    assert gone.rows == {"Item": 1}
