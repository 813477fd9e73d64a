"""What tables of tenants are made like, migrations and the registry know too."""

from __future__ import annotations

from typing import Any

from tenants import Place

from dataflow import DataFlow, field

OPTIONS: dict[str, Any] = {
    "multi_tenant": True,
    "soft_delete": True,
    "versioned": True,
    "audit": "changes",
    "unique": [["name"]],
}


def _declare(db: DataFlow) -> None:
    @db.model
    class Team:
        name: str

        __dataflow__ = OPTIONS

    @db.model
    class Member:
        code: str = field(primary_key=True)
        team_id: int = field(references="Team")

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it


async def test_nothing_is_to_be_migrated_where_tables_are_new(
    place: Place,
) -> None:
    db = DataFlow(place.url, **place.options)
    _declare(db)
    async with db:
        with db.tenant("t1"):
            team = await db["Team"].create(name="a")
            await db["Member"].create(code="m", team_id=team["id"])
        plan = await db.migrations.plan()
    await db.aclose()

    assert not plan.operations, plan


async def test_a_model_that_is_rebuilt_keeps_tenants_apart(place: Place) -> None:
    db = DataFlow(place.url, **place.options)
    _declare(db)
    async with db:
        await db.initialize()
        with db.tenant("t1"):
            await db["Team"].create(name="a")
    await db.aclose()
    other = DataFlow(place.url, **place.options)
    async with other:
        await other.reconstruct_models_from_registry_async()
        model = other["Team"].model
        with other.tenant("t2"):
            assert await other["Team"].count() == 0
        with other.tenant("t1"):
            assert (await other["Team"].list())["records"][0]["version"] == 1
    await other.aclose()

    assert (model.tenant_field, model.deleted_field) == ("tenant_id", "deleted_at")
    assert (model.version_field, model.audit) == ("version", "changes")
