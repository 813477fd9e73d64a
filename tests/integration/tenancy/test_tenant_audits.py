"""The audit of tenants that have a place of their own each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tenants import Apart
from typer.testing import CliRunner

from dataflow import DataFlow
from dataflow.cli._app import app
from dataflow.errors import AuditBrokenError, TenantScopeError

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


async def test_the_audit_of_each_tenant_is_verified_by_itself(apart: Apart) -> None:
    db = declared(apart)
    async with db:
        for name in ("acme", "globex"):
            await db.tenants.create(name)
            await db["Invoice"].create(number="1", tenant_id=name)
        assert await db.audit.tenants() == ("acme", "globex")
        mark = await db.audit.checkpoint(tenant="acme")
        found = await db.audit.verify(mark, tenant="acme")
        assert (found.heads, found.n_events) == ({"Invoice": 1}, 1)
        assert "Invoice" not in (await db.audit.verify()).heads
        with pytest.raises(AuditBrokenError):
            await db.audit.verify(await db.audit.checkpoint(), tenant="globex")
        for name in ("acme", "globex"):
            await db.tenants.delete(name, confirmed=True)
        assert await db.audit.tenants() == ()
    await db.aclose()


async def test_tenants_that_share_tables_share_their_audit(sqlite_url: str) -> None:
    db = declared(Apart(sqlite_url, "row"))
    async with db:
        await db.tenants.create("acme")
        assert await db.audit.tenants() == ()
        with pytest.raises(TenantScopeError, match="share one"):
            await db.audit.verify(tenant="acme")
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
    assert run("audit", "verify")[0] != 0
    assert run("audit", "verify", "--url", apart.url, "--tenant", "acme")[0] != 0
    assert run("audit", "verify", "--url", apart.url)[0] == 0
