"""The audit of tenants that have a place of their own each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tenants import Apart
from typer.testing import CliRunner

from dataflow import DataFlow
from dataflow.audit import new_signing_keys
from dataflow.cli._app import app
from dataflow.drivers import DatabaseUrl, connect, open_bridge, parse_url
from dataflow.errors import (
    AuditBrokenError,
    SigningKeyError,
    TenantAuditError,
    TenantMismatchError,
    TenantScopeError,
)
from dataflow.sql import Statement

PRIVATE, PUBLIC = new_signing_keys()
NAMES = ("acme", "globex", "hooli")

MODULE = """
from dataflow import DataFlow

db = DataFlow("{url}", tenancy="{tenancy}")


@db.model
class Invoice:
    number: str

    __dataflow__ = {{"multi_tenant": True, "audit": "full"}}
"""


def declared(apart: Apart) -> DataFlow:
    db = DataFlow(apart.url, tenancy=apart.tenancy)

    @db.model
    class Invoice:
        number: str

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "audit": "full",
        }

    return db


async def change(url: DatabaseUrl, *texts: str) -> None:
    """Do what somebody may do who writes to a database."""
    async with open_bridge() as bridge:
        driver = connect(url, bridge, pool_size=1)
        async with driver.acquire() as connection:
            for text in texts:
                await connection.run((Statement(text),))
        await driver.aclose()


async def change_at(db: DataFlow, apart: Apart, tenant: str, *texts: str) -> None:
    """Do it in the place of a tenant."""
    if apart.tenancy == "schema":
        await change(
            parse_url(apart.url), f"SET search_path TO tenant_{tenant}", *texts
        )
    else:
        await change(url_of(db, tenant), *texts)


@pytest.fixture
async def db(apart: Apart, request: pytest.FixtureRequest) -> AsyncIterator[DataFlow]:
    """Give a database with three tenants, of whom each has one invoice."""
    db = declared(apart)
    async with db:
        for name in NAMES:
            await db.tenants.create(name)
            await db["Invoice"].create(number="1", tenant_id=name)
        yield db
        left = [each.name for each in await db.tenants.list() if each.name in NAMES]
    await db.aclose()
    if apart.tenancy == "database" and apart.url.startswith("postgres"):
        # Not by the tenants, who wait until every process knows.
        server = request.getfixturevalue("postgres_server")
        for name in left:
            server.drop(url_of(db, name).database)


def url_of(db: DataFlow, tenant: str) -> DatabaseUrl:
    apart = db._database.apart
    assert apart is not None
    return apart.url(tenant)


async def test_the_audit_of_each_tenant_is_verified_by_itself(db: DataFlow) -> None:
    assert await db.audit.tenants() == NAMES
    mark = await db.audit.checkpoint(tenant="acme")
    found = await db.audit.verify(mark, tenant="acme")
    assert (found.heads, found.n_events) == ({"Invoice": 1}, 1)
    assert "Invoice" not in (await db.audit.verify()).heads
    with pytest.raises(AuditBrokenError):
        await db.audit.verify(await db.audit.checkpoint(), tenant="globex")


async def test_checkpoints_of_all_places_are_held_each_against_its_own(
    db: DataFlow,
) -> None:
    kept: list[str] = []
    told: list[tuple[str, int, int]] = []

    def on_tenant(*about: Any) -> None:
        told.append(about)

    lines = await db.audit.checkpoint_all(
        private_key=PRIVATE, on_line=kept.append, on_tenant=on_tenant
    )
    assert kept == lines
    assert told == [("acme", 1, 3), ("globex", 2, 3), ("hooli", 3, 3)]
    told.clear()
    found = await db.audit.verify_all(lines, public_key=PUBLIC, on_tenant=on_tenant)
    assert found.shared is not None
    assert [*found.shared.heads] == ["DataflowTenant"]
    assert {name: each.heads for name, each in found.tenants.items()} == {
        name: {"Invoice": 1} for name in NAMES
    }
    assert len(told) == 3
    assert (
        await db.audit.verify(lines, public_key=PUBLIC, tenant="acme")
    ).n_events == 1
    assert await db.audit.verify(lines, public_key=PUBLIC) == found.shared
    with pytest.raises(AuditBrokenError, match="says nothing of this audit"):
        await db.audit.verify(lines[:2], public_key=PUBLIC, tenant="globex")
    moved = msgspec.json.encode(msgspec.json.decode(lines[1]) | {"tenant": "hooli"})
    with pytest.raises(AuditBrokenError, match="signed with another key, or changed"):
        await db.audit.verify(moved.decode(), public_key=PUBLIC, tenant="hooli")
    again = await db.audit.checkpoint_all(private_key=PRIVATE, after="acme")
    assert [msgspec.json.decode(each)["tenant"] for each in again] == [
        "globex",
        "hooli",
    ]
    with pytest.raises(SigningKeyError):
        await db.audit.checkpoint_all(private_key=PUBLIC, keep_going=True)


async def test_a_round_of_audits_tells_who_failed_and_who_is_left(
    db: DataFlow, apart: Apart
) -> None:
    lines = await db.audit.checkpoint_all()
    # As if nothing had ever been recorded there.
    tables = ["dataflow_audit", "dataflow_audit_leaves", "dataflow_audit_heads"]
    if apart.url.startswith("sqlite"):
        tables.append("dataflow_audit_keys")
    gone = [f"DELETE FROM {table}" for table in tables]  # noqa: S608  # ours
    await change_at(db, apart, "globex", *gone)

    assert (await db.audit.verify(tenant="globex")).n_events == 0
    with pytest.raises(TenantAuditError, match="verifying failed") as failed:
        await db.audit.verify_all(lines)
    error = failed.value
    assert [*error.problems] == ["globex"]
    assert "was there once, and is gone" in error.problems["globex"]
    assert (error.done, error.left, error.shared) == (("acme",), ("hooli",), None)
    rest = await db.audit.verify_all(lines, after="globex")
    assert (rest.shared, [*rest.tenants]) == (None, ["hooli"])
    with pytest.raises(TenantAuditError) as failed:
        await db.audit.verify_all(lines, keep_going=True)
    assert (failed.value.done, failed.value.left) == (("acme", "hooli"), ())
    await change_at(db, apart, "acme", "DROP TABLE dataflow_audit_heads")
    with pytest.raises(TenantAuditError, match="making checkpoints failed") as failed:
        await db.audit.checkpoint_all(keep_going=True)
    assert ([*failed.value.problems], failed.value.done) == (
        ["acme"],
        ("globex", "hooli"),
    )


async def test_a_tenant_that_was_made_again_has_an_audit_of_its_own(
    db: DataFlow,
) -> None:
    lines = await db.audit.checkpoint_all()
    await db.tenants.delete("acme", confirmed=True)
    assert [*(await db.audit.verify_all(lines)).tenants] == ["globex", "hooli"]
    await db.tenants.create("acme")

    found = await db.audit.verify_all(lines)
    assert {name: each.n_events for name, each in found.tenants.items()} == {
        "acme": 0,
        "globex": 1,
        "hooli": 1,
    }
    with pytest.raises(AuditBrokenError, match="says nothing of this audit"):
        await db.audit.verify(lines, tenant="acme")


HIDING = (
    (
        "SET state = 'deleted' WHERE name = 'hooli'",
        "SET state = 'active' WHERE name = 'hooli'",
    ),
    (
        "SET epoch = 'x' || epoch WHERE name = 'hooli'",
        "SET epoch = substr(epoch, 2) WHERE name = 'hooli'",
    ),
    (
        "SET name = 'other' WHERE name = 'hooli'",
        "SET name = 'hooli' WHERE name = 'other'",
    ),
)


async def test_a_tenant_of_which_nobody_recorded_that_it_was_deleted_is_missed(
    db: DataFlow, apart: Apart
) -> None:
    lines = await db.audit.checkpoint_all()
    for there, back in HIDING:
        await change(parse_url(apart.url), f"UPDATE dataflow_tenants {there}")
        with pytest.raises(TenantAuditError) as failed:
            await db.audit.verify_all(lines)
        assert failed.value.problems == {
            "hooli": "was there once, and no record says that it was deleted"
        }
        assert failed.value.left[:2] == ("acme", "globex")
        await change(parse_url(apart.url), f"UPDATE dataflow_tenants {back}")


async def test_an_audit_of_the_database_that_is_broken_is_told_with_the_tenants(
    db: DataFlow, apart: Apart
) -> None:
    lines = await db.audit.checkpoint_all()
    await change(parse_url(apart.url), "DELETE FROM dataflow_audit_leaves")
    with pytest.raises(TenantAuditError, match="the database itself: ") as failed:
        await db.audit.verify_all(lines)
    assert "was cut off" in str(failed.value.shared)
    assert failed.value.left == NAMES
    with pytest.raises(TenantAuditError) as failed:
        await db.audit.verify_all(lines, keep_going=True)
    assert (failed.value.problems, failed.value.done) == ({}, NAMES)


async def test_who_works_for_one_tenant_gets_at_no_other_audit(db: DataFlow) -> None:
    with db.tenant("acme"):
        assert (await db.audit.verify(tenant="acme")).n_events == 1
        with pytest.raises(TenantMismatchError):
            await db.audit.verify(tenant="globex")
        for call in (db.audit.tenants, db.audit.verify_all, db.audit.checkpoint_all):
            with pytest.raises(TenantScopeError):
                await call()


async def test_tenants_that_share_tables_share_their_audit(sqlite_url: str) -> None:
    db = declared(Apart(sqlite_url, "row"))
    async with db:
        await db.tenants.create("acme")
        assert await db.audit.tenants() == ()
        with pytest.raises(TenantScopeError, match="share one"):
            await db.audit.verify(tenant="acme")
        (line,) = await db.audit.checkpoint_all()
        found = await db.audit.verify_all(line)
        assert found.shared == await db.audit.verify(line)
        assert found.tenants == {}
    await db.aclose()


def test_all_tenants_are_verified_from_the_command_line(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"audited_{abs(hash(tmp_path)):x}"
    text = MODULE.format(url=apart.url, tenancy=apart.tenancy)
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)  # which the command imports from

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words])
        return done.exit_code, done.stdout

    for tenant in ("acme", "globex"):
        assert run("tenant", "create", tenant, "--models", name)[0] == 0
    code, output = run("audit", "verify", "--models", name)
    assert (code, "tenant globex" in output) == (0, True)
    code, output = run("audit", "verify", "--models", name, "--json")
    assert (code, [*msgspec.json.decode(output)["tenants"]]) == (0, ["acme", "globex"])
    code, output = run("audit", "verify", "--models", name, "--tenant", "acme")
    assert (code, "tenant" in output) == (0, False)
    code, mark = run("audit", "checkpoint", "--models", name, "--tenant", "acme")
    (tmp_path / "mark").write_text(mark)
    words = ("--models", name, "--tenant", "acme", "--checkpoint", "mark")
    assert run("audit", "verify", *words)[0] == 0
    code, marks = run("audit", "checkpoint", "--models", name)
    assert (code, len(marks.splitlines())) == (0, 3)
    code, _ = run("audit", "checkpoint", "--models", name, "-o", "marks")
    assert (code, len((tmp_path / "marks").read_text().splitlines())) == (0, 3)
    assert run("audit", "checkpoint", "--models", name, "-o", "none/marks")[0] == 1
    every = ("--models", name, "--checkpoint", "marks")
    assert run("audit", "verify", *every)[0] == 0
    code, output = run("audit", "verify", *every, "--after", "acme", "--keep-going")
    assert (code, output.splitlines()[0]) == (0, "tenant globex")
    assert run("audit", "verify", *every, "--after", "a", "--tenant", "acme")[0] == 2
    assert run("audit", "checkpoint", "--url", apart.url, "--after", "acme")[0] == 2
    assert run("audit", "verify")[0] != 0
    assert run("audit", "verify", "--url", apart.url, "--tenant", "acme")[0] != 0
    assert run("audit", "verify", "--url", apart.url)[0] == 0
