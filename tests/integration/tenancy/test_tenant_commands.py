"""`dataflow tenant`, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tenants import Apart
from typer.testing import CliRunner, Result

from dataflow.cli._app import app

MODULE = """
from dataflow import DataFlow

db = DataFlow("{url}", tenancy="{tenancy}")


@db.model
class Invoice:
    number: str

    __dataflow__ = {{"multi_tenant": True}}
"""


@pytest.fixture
def run(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Give what runs `dataflow tenant` on the models of a new module."""
    name = f"shop_{abs(hash(tmp_path)):x}"
    text = MODULE.format(url=apart.url, tenancy=apart.tenancy)
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)  # which the command imports from

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["tenant", *words, "--models", name])

    return run


def test_a_tenant_lives_from_the_command_line(run: Callable[..., Result]) -> None:
    assert run("create", "acme").exit_code == 0
    assert run("create", "acme").exit_code == 1
    assert run("create", "acme", "--exist-ok").exit_code == 0
    done = run("suspend", "acme", "--reason", "unpaid", "--json")
    assert (done.exit_code, msgspec.json.decode(done.output)["state"]) == (
        0,
        "suspended",
    )
    assert "unpaid" in run("list").output
    assert run("resume", "acme").exit_code == 0
    assert "Invoice: 0 rows" in run("delete", "acme", "--dry-run").output
    assert run("delete", "acme").exit_code == 1
    assert run("delete", "acme", "--yes").exit_code == 0
    assert msgspec.json.decode(run("list", "--json").output) == []
    assert "deleted" in run("list", "--all").output


def test_a_tenant_is_exported_from_the_command_line(run: Callable[..., Result]) -> None:
    assert run("create", "acme").exit_code == 0
    done = run("export", "acme", "out")
    assert (done.exit_code, "Invoice: 0 rows" in done.stdout) == (0, True)
    assert run("export", "acme", "out").exit_code == 1
    done = run("export", "acme", "more", "--json")
    assert (done.exit_code, msgspec.json.decode(done.stdout)["tenant"]) == (0, "acme")
    done = run("import", "again", "out", "--json")
    assert (done.exit_code, msgspec.json.decode(done.stdout)["state"]) == (0, "active")
