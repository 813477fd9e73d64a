"""`dataflow tenant`, from the command line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dataflow.cli._app import app

MODULE = """
from dataflow import DataFlow

db = DataFlow("{url}", tenancy="database")


@db.model
class Invoice:
    number: str

    __dataflow__ = {{"multi_tenant": True}}
"""


def test_a_tenant_lives_from_the_command_line(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"shop_{abs(hash(tmp_path)):x}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(url=sqlite_url))
    monkeypatch.chdir(tmp_path)  # which the command imports from

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["tenant", *words, "--models", name])
        return done.exit_code, done.output

    assert run("create", "acme")[0] == 0
    assert run("create", "acme")[0] == 1
    assert run("create", "acme", "--exist-ok")[0] == 0
    code, output = run("suspend", "acme", "--reason", "unpaid", "--json")
    assert (code, msgspec.json.decode(output)["state"]) == (0, "suspended")
    assert "unpaid" in run("list")[1]
    assert run("resume", "acme")[0] == 0
    assert "Invoice: 0 rows" in run("delete", "acme", "--dry-run")[1]
    assert run("delete", "acme")[0] == 1
    assert run("delete", "acme", "--yes")[0] == 0
    assert msgspec.json.decode(run("list", "--json")[1]) == []
    assert "deleted" in run("list", "--all")[1]
