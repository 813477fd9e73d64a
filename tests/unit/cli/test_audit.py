"""`dataflow audit`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

import anyio
from typer.testing import CliRunner

from dataflow import DataFlow
from dataflow.cli._app import app

KEY = {"DATAFLOW_AUDIT_KEY": "sixteen bytes, or more"}


async def _fill(url: str) -> None:
    db = DataFlow(url, audit_key=KEY["DATAFLOW_AUDIT_KEY"])

    @db.model
    class Thing:
        name: str

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012  as users write it

    async with db:
        await db["Thing"].bulk_create([{"name": "a"}, {"name": "b"}])
    await db.aclose()


def test_an_audit_is_verified_and_held_against_a_checkpoint(
    sqlite_url: str, tmp_path: Path
) -> None:
    anyio.run(_fill, sqlite_url)
    run = CliRunner(env=KEY).invoke
    fine = run(app, ["audit", "verify", "--url", sqlite_url])
    known = run(app, ["audit", "checkpoint", "--url", sqlite_url])
    file = tmp_path / "checkpoint.json"
    file.write_text(known.stdout, encoding="utf-8")
    held = run(
        app,
        ["audit", "verify", "--url", sqlite_url, "--checkpoint", str(file), "--json"],
    )

    assert (fine.exit_code, held.exit_code) == (0, 0)
    assert "Thing: 1 transactions" in fine.stdout
    assert "2 changes, as they were written" in fine.stdout
    assert held.stdout.strip() == '{"heads":{"Thing":1},"n_events":2,"n_outside":0}'


def test_another_key_is_one_line_and_an_exit_code(sqlite_url: str) -> None:
    anyio.run(_fill, sqlite_url)
    env = {"DATAFLOW_AUDIT_KEY": "another key that is long"}
    result = CliRunner(env=env).invoke(app, ["audit", "verify", "--url", sqlite_url])

    assert result.exit_code == 1
    assert "leaf 1 of Thing was changed" in result.stderr
