"""Where the events of a command go."""

from __future__ import annotations

import json

import pytest
import structlog

from dataflow.cli._logging import logging_to_stderr
from dataflow.telemetry import get_log


def test_json_is_one_object_per_line_and_tells_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging_to_stderr(as_json=True, is_quiet=False):
        get_log("dataflow.test").debug("batch_stored", records=3)

    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    event = json.loads(line)
    assert out == ""
    assert (event["event"], event["level"], event["records"]) == (
        "batch_stored",
        "debug",
        3,
    )


def test_a_reader_sees_lines_without_colour_when_it_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging_to_stderr(as_json=False, is_quiet=False):
        get_log("dataflow.test").info("characters_loaded", records=3)
        get_log("dataflow.test").debug("batch_stored", records=3)

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "characters_loaded" in err
    assert "records=3" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("as_json", [False, True])
def test_quiet_leaves_warnings(
    capsys: pytest.CaptureFixture[str],
    as_json: bool,  # noqa: FBT001
) -> None:
    with logging_to_stderr(as_json=as_json, is_quiet=True):
        get_log("dataflow.test").info("characters_loaded")
        get_log("dataflow.test").warning("actor_restarting")

    err = capsys.readouterr().err
    assert "characters_loaded" not in err
    assert "actor_restarting" in err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_traceback_shows_no_local_variables(
    capsys: pytest.CaptureFixture[str],
    as_json: bool,  # noqa: FBT001
) -> None:
    def fail(row: str) -> None:
        del row
        local = f"a {'secret'.lower()}"
        raise ValueError(len(local))

    with logging_to_stderr(as_json=as_json, is_quiet=False):
        try:
            fail("another secret of somebody")
        except ValueError:
            get_log("dataflow.test").error("batch_failed", exc_info=True)

    err = capsys.readouterr().err
    assert "ValueError" in err
    assert "a secret" not in err
    assert "of somebody" not in err.replace('fail("another secret of somebody")', "")


def test_what_was_configured_before_is_back_after_it() -> None:
    def mine(*_: object) -> str:
        raise structlog.DropEvent

    structlog.configure(processors=[mine])
    with logging_to_stderr(as_json=True, is_quiet=False):
        during = structlog.get_config()["processors"]
    after = structlog.get_config()["processors"]

    assert mine not in during
    assert after == [mine]


def test_nothing_is_configured_after_it_if_nothing_was_before() -> None:
    with logging_to_stderr(as_json=True, is_quiet=False):
        assert structlog.is_configured()

    assert not structlog.is_configured()
