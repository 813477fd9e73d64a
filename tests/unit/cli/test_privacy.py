"""`dataflow privacy`, as somebody types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from persons import declare_shop, fill
from typer.testing import CliRunner, Result

from dataflow import DataFlow
from dataflow.cli._app import app

MODULE = """
from dataflow import DataFlow
from dataflow.protection import allow
from persons import declare_shop

db = DataFlow({url!r}, protection=[allow("unmask", when={{"context.role": "privacy"}})])
declare_shop(db, retention={{"after_days": 9, "field": "made"}}, multi=False)
"""


async def _fill(url: str) -> None:
    db = DataFlow(url)
    declare_shop(db)
    async with db:
        await fill(db)
        await db["Line"].bulk_delete(filter={"id": {"$gt": 0}}, permanent=True)
    await db.aclose()


@pytest.fixture(autouse=True)
def _shop(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give a module that declares a shop, with two customers."""
    monkeypatch.chdir(tmp_path)
    module = MODULE.format(url=database_url).replace(", multi=False", "")
    (tmp_path / "persons_shop.py").write_text(module)
    anyio.run(_fill, database_url)
    yield
    sys.modules.pop("persons_shop", None)


def privacy(*arguments: str) -> Result:
    sys.modules.pop("persons_shop", None)
    command = ["privacy", *arguments, "--models", "persons_shop"]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, command)


def test_a_person_is_exported_with_leave_only(tmp_path: Path) -> None:
    refused = privacy("export", "1")
    role = ("--context", "role=privacy", "--principal", "olga")
    printed = privacy("export", "1", *role)
    lines = privacy("export", "1", "--lines", *role)
    file = tmp_path / "ann.json"
    written = privacy("export", "1", "-o", str(file), *role)
    nowhere = privacy("export", "1", "-o", str(tmp_path / "no" / "x"), *role)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "give leave" in refused.stderr
    assert json.loads(printed.stdout)["manifest"]["rows"] == 3
    assert len(lines.stdout.splitlines()) == 4
    assert written.exit_code == 0
    assert "3 rows (1 of Customer, 2 of Order)" in written.stderr
    assert json.loads(file.read_bytes())["records"]["Customer"]
    assert file.stat().st_mode & 0o077 == 0
    assert "cannot write" in nowhere.stderr


def test_a_person_is_erased_only_if_that_is_said() -> None:
    shown = privacy("erase", "1")
    plan = json.loads(privacy("erase", "1", "--json").stdout)
    done = privacy("erase", "1", "--yes")
    gone = privacy("erase", "1")

    assert "nothing was done; --yes does it" in shown.stdout
    assert plan["is_done"] is False
    assert "4 rows of a Customer: done" in done.stdout
    assert gone.exit_code == 1
    assert "no Customer has the given id" in gone.stderr


def test_old_rows_go_only_if_that_is_said() -> None:
    shown = privacy("retention")
    plan = json.loads(privacy("retention", "--json", "--only", "Order").stdout)
    done = privacy("retention", "--yes")

    assert "Nothing was done" in shown.stdout
    assert (plan[0]["rows"], plan[0]["is_done"]) == (3, False)
    assert done.exit_code == 0
    assert "Nothing" not in done.stdout
    assert json.loads(privacy("retention", "--json").stdout)[0]["rows"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase", "secret"),
        ("erase", "1", "--mode", "delet"),
        ("export", "1", "--context", "role"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_key(
    arguments: tuple[str, ...],
) -> None:
    refused = privacy(*arguments)

    assert refused.exit_code == 2
    assert "secret" not in refused.output


def test_keys_are_rotated_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = privacy("rotate-keys")
    monkeypatch.setenv("DATAFLOW_PRIVACY_KEYS", "sixteen bytes or more of them")
    done = privacy("rotate-keys")

    assert refused.exit_code == 1
    assert "give DataFlow(privacy_keys=[new, old])" in refused.stderr
    assert (done.stderr, done.exception) == ("", None)
    assert (done.exit_code, done.stdout) == (0, "0 keys were wrapped anew\n")
