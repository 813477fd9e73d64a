"""The import names of Kailash, from the distribution in ``compat``."""

from __future__ import annotations

import kailash.runtime
import kailash.runtime.local
import kailash.workflow.builder
from kailash.runtime.local import LocalRuntime
from kailash.workflow.builder import WorkflowBuilder

import dataflow


def test_the_names_are_the_classes_of_dataflow() -> None:
    assert kailash.workflow.builder.WorkflowBuilder is dataflow.WorkflowBuilder
    assert kailash.runtime.local.LocalRuntime is dataflow.LocalRuntime
    assert kailash.runtime.LocalRuntime is dataflow.LocalRuntime
    assert kailash.runtime.AsyncLocalRuntime is dataflow.AsyncLocalRuntime


def test_a_workflow_written_with_them_runs(sqlite_url: str) -> None:
    db = dataflow.DataFlow(sqlite_url)

    @db.model
    class User:  # pyright: ignore[reportUnusedClass]  # the nodes know it
        name: str

    workflow = WorkflowBuilder()
    workflow.add_node("UserCreateNode", "create", {"name": "Alice"})
    results, _ = LocalRuntime().execute(workflow.build())
    db.close()

    assert results["create"] == {"id": 1, "name": "Alice"}
