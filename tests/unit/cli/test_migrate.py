"""``dataflow migrate``, as a pipeline and as a person use it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dataflow.cli._app import app

MODULE = """
from dataflow import DataFlow
from dataflow.models import field

db = DataFlow({url!r})

@db.model
class User:
    name: str
"""
CHANGED = """    email: str = "none"
"""
DROPPED = """
other = DataFlow({url!r})
"""


@pytest.fixture
def shop(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give the file of a module that declares models, importable as ``shop``."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "shop.py"
    path.write_text(MODULE.format(url=database_url))
    yield path
    sys.modules.pop("shop", None)


def migrate(*arguments: str) -> Result:
    """Run the command in this process, with the module as it is now."""
    sys.modules.pop("shop", None)
    return CliRunner().invoke(app, ["migrate", *arguments, "--models", "shop"])


def as_json(*arguments: str) -> Any:
    result = migrate(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_a_pipeline_checks_applies_and_rolls_back(shop: Path) -> None:
    assert migrate("check").exit_code == 1
    assert migrate("apply", "--yes").exit_code == 0
    assert migrate("check").exit_code == 0
    shop.write_text(shop.read_text() + CHANGED)
    plan = as_json("check")
    assert [step["operation"] for step in plan["steps"]] == ["add_column"] or plan
    applied = as_json("apply", "--yes", "--backup", "--max-risk", "low")
    assert applied["state"] == "applied"
    assert applied["backup"]
    status = as_json("status")
    assert [each["state"] for each in status["migrations"]] == ["applied", "applied"]
    assert status["migrations"][1]["steps"][0]["duration_s"] > 0
    assert "add column email" in migrate("status").stdout
    assert migrate("rollback", "--yes").exit_code == 0
    assert migrate("check").exit_code == 1


def test_a_plan_is_shown_with_risk_lock_and_sql(shop: Path) -> None:
    migrate("apply", "--yes")
    shop.write_text(shop.read_text().replace("name: str", "title: int"))
    result = migrate("plan")

    assert result.exit_code == 0 or "problem" in result.stdout
    assert "drop column name of users" in result.stdout
    assert "HIGH" in result.stdout
    assert "RENAME COLUMN" in result.stdout


def test_without_a_terminal_nothing_is_applied(shop: Path) -> None:
    result = migrate("apply")

    assert result.exit_code == 1
    assert "dataflow migrate apply --models shop --yes" in result.stderr
    assert migrate("check").exit_code == 1


def test_what_is_too_risky_fails_and_tells_what_is_safer(shop: Path) -> None:
    migrate("apply", "--yes")
    shop.write_text(shop.read_text().replace("name: str", "size: int = 3"))
    result = migrate("apply", "--yes", "--max-risk", "MEDIUM")

    assert result.exit_code == 1
    assert "safer" in result.stderr
    assert migrate("apply", "--yes").exit_code == 0
    assert "kept: users._dataflow_dropped_name" in migrate("status").stdout
    assert migrate("purge", "--yes").exit_code == 0
    assert "kept:" not in migrate("status").stdout


def test_a_risk_that_is_none_is_told_before_anything_is_looked_at(shop: Path) -> None:
    shop.write_text("raise AssertionError")
    result = migrate("apply", "--yes", "--max-risk", "LOWW")

    assert result.exit_code == 2
    assert "did you mean 'LOW'" in " ".join(result.stderr.replace("│", " ").split())


def test_what_is_lost_is_told_whoever_asks(shop: Path) -> None:
    migrate("apply", "--yes")
    shop.write_text(shop.read_text() + CHANGED)
    migrate("apply", "--yes")
    shop.write_text(shop.read_text() + "\n")
    result = migrate("rollback", "--yes", "--json")

    assert json.loads(result.stdout)["number"] == 2
    assert "loses what was stored since: add column email" in result.stderr


def test_what_is_unclear_is_a_problem(shop: Path) -> None:
    migrate("apply", "--yes")
    shop.write_text(shop.read_text().replace("name: str", "label: str"))
    result = migrate("plan")
    assert result.exit_code == 1
    assert "renamed_from" in result.stdout

    applied = migrate("apply", "--yes", "--drop", "users.name")
    assert applied.exit_code == 0


def test_another_database_may_be_named(shop: Path, tmp_path: Path) -> None:
    del shop
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"

    assert migrate("apply", "--yes", "--url", url).exit_code == 0
    assert migrate("check", "--url", url).exit_code == 0
    assert migrate("check").exit_code == 1


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("nowhere", "no module"),
        ("shop:dbb", "did you mean 'db'"),
        ("json", "has no DataFlow"),
    ],
)
def test_models_that_are_not_there_are_told(shop: Path, models: str, said: str) -> None:
    del shop
    result = CliRunner().invoke(app, ["migrate", "plan", "--models", models])

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_of_several_dataflows_one_is_named(shop: Path) -> None:
    shop.write_text(shop.read_text() + "\nother = DataFlow('sqlite:///other.db')\n")
    assert migrate("plan").exit_code == 2
    sys.modules.pop("shop", None)
    result = CliRunner().invoke(app, ["migrate", "plan", "--models", "shop:db"])

    assert result.exit_code == 0


def test_on_a_terminal_it_asks(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del shop
    monkeypatch.setattr("dataflow.cli.migrate._command._is_terminal", lambda: True)
    no = CliRunner().invoke(app, ["migrate", "apply", "--models", "shop"], input="n\n")
    assert no.exit_code == 1
    sys.modules.pop("shop", None)
    yes = CliRunner().invoke(app, ["migrate", "apply", "--models", "shop"], input="y\n")
    assert yes.exit_code == 0
    sys.modules.pop("shop", None)
    arguments = ["migrate", "rollback", "--restore", "--models", "shop"]
    back = CliRunner().invoke(app, arguments, input="n\n")
    assert "loses what was stored since: create table users" in back.output
    sys.modules.pop("shop", None)
    purge = CliRunner().invoke(app, ["migrate", "purge", "--models", "shop"])
    assert purge.exit_code == 0
