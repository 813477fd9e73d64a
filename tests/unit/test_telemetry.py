"""Events reach whatever the application has configured, and cost nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from dataflow.telemetry import Level, get_log

LEVELS: list[Level] = ["debug", "info", "warning", "error"]


@pytest.mark.parametrize("level", LEVELS)
def test_an_event_reaches_a_configured_structlog(level: Level) -> None:
    log = get_log("dataflow.test")
    with capture_logs() as events:
        getattr(log, level)("thing_done", n_rows=3)

    assert events == [{"event": "thing_done", "n_rows": 3, "log_level": level}]


def test_the_processors_of_the_application_see_event_and_facts() -> None:
    seen: list[MutableMapping[str, Any]] = []

    def keep(
        _: object, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        seen.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    with structlog.contextvars.bound_contextvars(request="r"):
        get_log("dataflow.test").info("thing_done", n_rows=3)

    assert seen == [{"event": "thing_done", "n_rows": 3, "request": "r"}]


@pytest.mark.parametrize("level", LEVELS)
def test_otherwise_it_goes_to_the_logging_tree(
    level: Level, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(level.upper(), "dataflow"):
        getattr(get_log("dataflow.test"), level)("thing_done", n_rows=3)
    (record,) = caplog.records

    assert (record.name, record.levelname) == ("dataflow.test", level.upper())
    assert record.getMessage() == "event='thing_done' n_rows=3"


def test_what_nobody_asked_for_is_not_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "dataflow")
    log = get_log("dataflow.test")
    log.info("thing_done")

    assert not caplog.records
    assert [log.is_enabled(level) for level in LEVELS] == [False, False, True, True]


def test_a_configured_structlog_may_want_everything() -> None:
    structlog.configure()

    assert all(map(get_log("dataflow.test").is_enabled, LEVELS))


def test_structlog_is_not_imported_for_nobody() -> None:
    script = (
        "import sys\n"
        "from dataflow.telemetry import get_log\n"
        "log = get_log('dataflow.test')\n"
        "log.info('unheard')\n"
        "assert 'structlog' not in sys.modules\n"
        "log.warning('heard', n=1)\n"
        "assert 'structlog' in sys.modules\n"
    )
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stderr == "event='heard' n=1\n"
