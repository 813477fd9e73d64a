"""Migrations of tenants that have tables of their own each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from tenants import Apart
from typer.testing import CliRunner

from dataflow import PII, DataFlow
from dataflow.cli._app import app
from dataflow.errors import (
    BlockedError,
    MigrationConfirmationError,
    TenantMigrationError,
    TenantScopeError,
    TenantStateError,
    UnknownTenantError,
)
from dataflow.protection import deny
from dataflow.tenancy import DatabasePlaces, SchemaPlaces

NAMES = ("acme", "globex", "initech")


def before(apart: Apart) -> DataFlow:
    db = DataFlow(apart.url, tenancy=apart.tenancy, pool_size=4)

    @db.model
    class Invoice:
        number: str
        total: int | None

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

    return db


def after(apart: Apart) -> DataFlow:
    db = DataFlow(apart.url, tenancy=apart.tenancy, pool_size=4, auto_migrate=False)

    @db.model
    class Invoice:
        number: str
        total: int
        paid: bool = False

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

    return db


@pytest.fixture
async def db(apart: Apart) -> AsyncIterator[DataFlow]:
    """Give new models, and tenants with tables of the old ones."""
    old = before(apart)
    async with old:
        for name in NAMES:
            await old.tenants.create(name)
            await old["Invoice"].create(number="1", total=1, tenant_id=name)
    await old.aclose()
    db = after(apart)
    async with db:
        yield db
        await apart.clear(db)
    await db.aclose()


async def test_all_tenants_are_migrated(db: DataFlow) -> None:
    done, plans = await db.auto_migrate(auto_confirm=True)

    assert done
    assert len(plans) == 1  # they have the same to do
    for name in NAMES:
        with db.tenant(name):
            rows = (await db["Invoice"].list())["records"]
        assert [(row["total"], row["paid"]) for row in rows] == [(1, False)]
    assert await db.auto_migrate(auto_confirm=True) == (True, [])


async def test_one_tenant_is_migrated_alone(db: DataFlow) -> None:
    done, plans = await db.auto_migrate(tenant="globex", auto_confirm=True)

    assert (done, len(plans)) == (True, 1)
    left = await db.tenants.migration_plans()
    assert [name for name, plan in left.items() if plan] == ["acme", "initech"]
    assert len(await db.migrations.of_tenant("globex").history()) == 1
    assert not await db.migrations.of_tenant("acme").history()
    checked = await db.tenants.migration_checks("globex", "acme")
    assert [bool(plan) for plan in checked.values()] == [False, True]


async def test_a_dry_run_changes_nothing_and_nobody_is_asked_without_a_terminal(
    db: DataFlow,
) -> None:
    possible, plans = await db.auto_migrate(dry_run=True)
    assert (possible, len(plans)) == (True, 1)

    with pytest.raises(MigrationConfirmationError):
        await db.auto_migrate()
    assert all((await db.tenants.migration_plans()).values())


async def test_it_stops_at_the_first_that_fails_and_goes_on_when_that_is_mended(
    db: DataFlow, apart: Apart
) -> None:
    # The new models know nothing right of such a row.
    spoil = "INSERT INTO {at}invoices (number) VALUES ('2')"
    await apart.run(db, "globex", spoil)
    with pytest.raises(TenantMigrationError, match="goes on") as failed:
        await db.auto_migrate(auto_confirm=True)
    assert failed.value.done == ("acme",)
    assert [*failed.value.problems] == ["globex"]
    assert failed.value.left == ("initech",)

    told: list[tuple[str, int, int]] = []

    def tell(name: str, n_done: int, total: int) -> None:
        told.append((name, n_done, total))

    with pytest.raises(TenantMigrationError) as failed:
        await db.tenants.migrate(keep_going=True, on_tenant=tell)
    assert failed.value.done == ("acme", "initech")
    assert failed.value.left == ()
    assert told == [("acme", 1, 3), ("initech", 2, 3)]

    mend = "UPDATE {at}invoices SET total = 0 WHERE total IS NULL"
    await apart.run(db, "globex", mend)
    entries = await db.tenants.migrate()
    assert entries["acme"] is None
    assert entries["globex"] is not None


async def test_a_suspended_tenant_is_migrated_and_one_that_is_not_there_refused(
    db: DataFlow, apart: Apart
) -> None:
    await db.tenants.suspend("acme", reason="unpaid")
    assert [*await db.tenants.migrate("acme")] == ["acme"]
    with pytest.raises(UnknownTenantError):
        await db.tenants.migrate("acme", "umbrella")
    with pytest.raises(UnknownTenantError):
        await db.auto_migrate(tenant="umbrella", auto_confirm=True)

    rows = DataFlow(apart.url)
    with pytest.raises(TenantScopeError, match="share the tables"):
        await rows.auto_migrate(tenant="acme")
    with pytest.raises(TenantScopeError, match="share the tables"):
        await rows.tenants.migrate()
    await rows.aclose()


async def test_a_tenant_whose_deletion_was_stopped_is_left_out(
    db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        for kind in (DatabasePlaces, SchemaPlaces):
            patched.setattr(kind, "drop", stop)
        with pytest.raises(InterruptedError):
            await db.tenants.delete("globex", confirmed=True)

    assert [*await db.tenants.migration_plans()] == ["acme", "initech"]
    with pytest.raises(TenantStateError, match="cannot be migrated"):
        await db.tenants.migrate("globex")


MODULE = """
from dataflow import DataFlow

db = DataFlow("{url}", tenancy="{tenancy}", auto_migrate={creates})


@db.model
class Invoice:
    number: str
    {field}

    __dataflow__ = {{"multi_tenant": True}}
"""


def test_tenants_are_migrated_from_the_command_line(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"{abs(hash(tmp_path)):x}"
    monkeypatch.chdir(tmp_path)  # which the command imports from
    for name, field, creates in (
        ("old", "", True),
        ("new", "paid: bool = False", False),
    ):
        text = MODULE.format(
            url=apart.url, tenancy=apart.tenancy, field=field, creates=creates
        )
        (tmp_path / f"{name}_{mark}.py").write_text(text)

    def run(module: str, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--models", f"{module}_{mark}"])
        return done.exit_code, done.output

    for tenant in ("acme", "globex"):
        assert run("old", "tenant", "create", tenant)[0] == 0
    code, output = run("new", "migrate", "plan")
    assert code == 0
    assert "tenants acme, globex" in output
    assert run("new", "migrate", "check")[0] == 1
    assert run("new", "migrate", "apply")[0] == 1  # nobody agreed
    assert run("new", "migrate", "apply", "--tenant", "acme", "--yes")[0] == 0
    assert run("new", "migrate", "check", "--tenant", "acme")[0] == 0
    code, output = run("new", "migrate", "apply", "--yes", "--json")
    told = msgspec.json.decode(output)
    assert (code, told["shared"], told["tenants"]["acme"]) == (0, None, None)
    assert told["tenants"]["globex"]["steps"]
    assert "nothing" in run("new", "migrate", "apply", "--yes")[1].lower()
    assert run("new", "migrate", "check", "--json")[0] == 0
    assert run("new", "migrate", "status", "--tenant", "globex")[0] == 0
    assert run("new", "migrate", "rollback", "--tenant", "globex", "--yes")[0] == 0
    assert run("new", "migrate", "check")[0] == 1
    assert run("new", "migrate", "purge", "--tenant", "globex", "--yes")[0] == 0


@pytest.mark.parametrize("what", ["delete", "schema", "write"])
async def test_masked_fields_and_tenants_are_migrated_unless_a_rule_refuses(
    database_url: str, what: str
) -> None:
    db = DataFlow(database_url, auto_migrate=False)

    @db.model
    class Person:
        mail: Annotated[str, PII("email")]

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

    del Person
    async with db:
        with db.protect(deny(what, id="stays")), pytest.raises(BlockedError):
            await db.auto_migrate(auto_confirm=True)
        with db.tenant("acme"), pytest.raises(TenantScopeError):
            await db.auto_migrate(auto_confirm=True)
        assert (await db.auto_migrate(auto_confirm=True))[0]
        with db.tenant("acme"):
            assert (await db["Person"].create(mail="ann@x"))["id"]
    await db.aclose()
