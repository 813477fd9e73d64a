from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from dataflow.errors import WorkflowError
from dataflow.nodes._node import Host
from dataflow.workflow import WorkflowBuilder, run

Function = Callable[..., object]


async def test_a_run_reports_its_start_and_its_end(
    host: Host,
    builder: WorkflowBuilder,
    value: Function,
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder.add_node(value, "a", {"value": 1})
    with caplog.at_level(logging.DEBUG, "dataflow.workflow"):
        await run(host, builder.build(), run_id="r")
    started, finished = (record.getMessage() for record in caplog.records)

    assert started == "event='run_started' run_id='r' workflow='workflow' n_nodes=1"
    assert finished.startswith("event='run_finished' duration_s=0.")
    assert finished.endswith(" run_id='r' workflow='workflow' n_nodes=1")


async def test_a_run_that_fails_reports_the_kind_of_error_and_no_values(
    host: Host, builder: WorkflowBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        msg = "secret"
        raise ValueError(msg)

    builder.add_node(fail, "a")
    workflow = builder.build()
    caplog.set_level(logging.INFO, "dataflow.workflow")
    with pytest.raises(WorkflowError):
        await run(host, workflow)

    assert "run_failed" in caplog.text
    assert "error='WorkflowError'" in caplog.text
    assert "secret" not in caplog.text


async def test_a_run_that_nobody_watches_reports_nothing(
    host: Host,
    builder: WorkflowBuilder,
    value: Function,
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder.add_node(value, "a", {"value": 1})
    with caplog.at_level(logging.INFO, "dataflow.workflow"):
        await run(host, builder.build())

    assert not caplog.records
