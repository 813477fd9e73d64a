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


def test_checkpoints_are_signed_by_a_key_and_verified_by_another(
    sqlite_url: str, tmp_path: Path
) -> None:
    anyio.run(_fill, sqlite_url)
    run = CliRunner(env=KEY).invoke
    key, public = tmp_path / "audit.key", tmp_path / "audit.key.pub"
    exported = tmp_path / "checkpoints.jsonl"
    made = run(app, ["audit", "keygen", str(key)])
    sign = ["audit", "checkpoint", "--url", sqlite_url, "--private-key", str(key)]
    signed = [run(app, [*sign, "-o", str(exported)]) for _ in range(2)]
    verify = ["audit", "verify", "--url", sqlite_url, "--public-key"]
    held = run(app, [*verify, str(public), "--checkpoint", str(exported)])
    alone = run(app, [*verify, str(public)])
    wrong = run(app, [*verify, str(key), "--checkpoint", str(exported)])
    again = run(app, ["audit", "keygen", str(key)])

    assert [each.exit_code for each in (made, *signed, held)] == [0, 0, 0, 0]
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(exported.read_text(encoding="utf-8").splitlines()) == 2
    assert "2 changes, as they were written" in held.stdout
    assert alone.exit_code == 2
    assert "--checkpoint" in alone.stderr
    assert (wrong.exit_code, again.exit_code) == (1, 1)
    assert "the public key is no public key of Ed25519" in wrong.stderr
    assert "it is there already" in again.stderr


def test_a_file_that_is_not_there_is_one_line(sqlite_url: str, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    verify = ["audit", "verify", "--url", sqlite_url, "--checkpoint", str(missing)]
    unread = CliRunner().invoke(app, verify)
    unwritten = CliRunner().invoke(app, ["audit", "keygen", str(missing / "key")])

    assert (unread.exit_code, unwritten.exit_code) == (1, 1)
    assert unread.stderr.splitlines() == [
        f"dataflow: cannot read {missing}: No such file or directory"
    ]
    assert "cannot write" in unwritten.stderr


def test_a_key_that_is_too_short_is_one_line(sqlite_url: str) -> None:
    env = {"DATAFLOW_AUDIT_KEY": "short"}
    result = CliRunner(env=env).invoke(app, ["audit", "verify", "--url", sqlite_url])

    assert result.exit_code == 2
    assert result.stderr.startswith("dataflow: DATAFLOW_AUDIT_KEY has 5 bytes")
    assert "\n" not in result.stderr.strip()
