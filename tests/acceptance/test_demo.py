"""The demo, run as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner, Result

from dataflow.cli._app import app
from dataflow.cli.demo._character import open_dataflow


def demo(*arguments: str) -> Result:
    """Run ``dataflow demo`` in this process."""
    return CliRunner().invoke(app, ["demo", *arguments])


def contents(url: str) -> list[dict[str, Any]]:
    """Return what is in the table, by key."""

    async def read() -> list[dict[str, Any]]:
        db = open_dataflow(url)
        async with db:
            rows = [row async for row in db["Character"].stream()]
        await db.aclose()
        return rows

    return anyio.run(read)


def test_running_it_twice_gives_the_same_database(database_url: str) -> None:
    first = demo("--url", database_url, "--limit", "6000", "--json", "--quiet")
    after_first = contents(database_url)
    second = demo("--url", database_url, "--limit", "6000", "--json", "--quiet")
    after_second = contents(database_url)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert after_first == after_second
    assert len(after_first) == 6000
    assert after_first[0x39]["name"] == unicodedata.name("9")
    assert after_first[0x39]["decimal"] == 9
    assert after_first[0]["name"] == "<control>"
    loads = [json.loads(run.stdout) for run in (first, second)]
    assert [(load["inserted"], load["updated"]) for load in loads] == [
        (6000, 0),
        (0, 6000),
    ]
    assert loads[0]["batches"] == 2
    assert loads[0]["restarts"] == 0


def test_the_answers_are_those_of_unicode(database_url: str) -> None:
    ended = demo("--url", database_url, "--limit", "10000", "--json", "--quiet")

    answers = json.loads(ended.stdout)["answers"]
    highest = answers["highest"]["records"]
    assert answers["characters"] == {"count": 10_000}
    assert [each["name"] for each in highest] == [
        unicodedata.name(chr(each["code_point"])) for each in highest
    ]
    assert [each["name"] for each in answers["snow"]["records"]] == [
        "SNOWMAN",
        "SNOWMAN WITHOUT SNOW",
        "BLACK SNOWMAN",
    ]
    assert [each["name"] for each in answers["arrows"]["records"]] == [
        "LEFTWARDS TWO HEADED ARROW",
        "RIGHTWARDS TWO HEADED ARROW",
    ]
    assert answers["composed"]["records"][0]["decomposition"].startswith("0059 ")
    assert answers["base"]["name"] == "LATIN CAPITAL LETTER Y"
    letters = answers["letters"]["count"]
    assert answers["share"]["percent"] == pytest.approx(letters / 100)


def test_a_reader_gets_answers_actors_and_numbers(database_url: str) -> None:
    ended = demo("--url", database_url, "--limit", "10000")

    assert ended.exit_code == 0
    for expected in (
        "U+2603 SNOWMAN",
        "U+0059 LATIN CAPITAL LETTER Y",
        "supervisor, one_for_one",
        "CharacterBulkUpsertNode: running, processed 2, restarts 0",
        "10,000 (10,000 inserted, 0 updated)",
        "Per second",
        unicodedata.unidata_version,
    ):
        assert expected in ended.stdout
    assert "characters_loaded" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_a_terminal_gets_a_bar_and_colours(sqlite_url: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dataflow", "demo", "--url", sqlite_url]
    with subprocess.Popen(  # noqa: S603  # our own command
        [*command, "--limit", "100"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as running:
        os.close(theirs)
        seen = read_all(ours)

    assert running.returncode == 0
    assert "Characters" in seen
    assert "100/100" in seen
    assert "characters_loaded" in seen
    assert "\x1b[" in seen


def read_all(terminal: int) -> str:
    """Return what is written to a terminal until its last writer is gone."""
    seen = b""
    try:
        while part := os.read(terminal, 65_536):
            seen += part
    except OSError:  # Linux: EIO once nobody has the other side
        pass
    finally:
        os.close(terminal)
    return seen.decode()


def test_few_characters_leave_questions_without_an_answer(sqlite_url: str) -> None:
    ended = demo("--url", sqlite_url, "--limit", "5", "--quiet")

    assert ended.exit_code == 0
    assert "none" in ended.stdout
    assert ended.stderr == ""


def test_without_a_url_it_is_a_file_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = demo("--limit", "1", "--quiet")

    assert ended.exit_code == 0
    assert len(contents(f"sqlite:///{tmp_path}/unicode.db")) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "it has no scheme"),
        ("mysql://user:secret@host/name", "PostgreSQL and SQLite are supported"),
        ("postgresql://user:secret@localhost:99999/name", "a port is a number"),
        ("postgresql://user:secret@127.0.0.1:1/name", "cannot reach PostgreSQL"),
        ("sqlite:////no/such/folder/unicode.db", "does not exist, make it first"),
        (f"sqlite:///{Path(__file__).parent}", "cannot open"),
        (f"sqlite:///{__file__}", "file is not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(url: str, said: str) -> None:
    ended = demo("--url", url, "--limit", "1")

    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("dataflow: ")
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert "secret" not in ended.stderr


@pytest.mark.slow
def test_ctrl_c_stops_it_cleanly_and_a_second_run_completes(sqlite_url: str) -> None:
    command = [sys.executable, "-m", "dataflow", "demo", "--json", "--url", sqlite_url]
    with subprocess.Popen(  # noqa: S603  # our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "batch_stored" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    stored = len(contents(sqlite_url))
    again = demo("--url", sqlite_url, "--limit", str(stored), "--json", "--quiet")

    assert running.returncode == 130
    assert out == ""
    assert "dataflow: interrupted: " in err
    assert "Traceback" not in err
    assert stored % 5_000 == 0
    assert stored > 0
    assert json.loads(again.stdout)["updated"] == stored
