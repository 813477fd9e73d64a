"""What a run reports: when it started, and how it ended.

Events: ``run_started`` and ``run_finished`` (debug), ``run_failed`` (info).
Nobody asks for the first two in production, and every run would pay for them;
so whether somebody listens is asked first.
"""

from __future__ import annotations

import time
from typing import final

from ...telemetry import get_log
from ..graph import Workflow

__all__ = ["RunRecord"]

_log = get_log("dataflow.workflow")


@final
class RunRecord:
    """Reports on one run, from now on."""

    __slots__ = ("_is_watched", "_run_id", "_started_at", "_workflow")

    def __init__(self, run_id: str, workflow: Workflow) -> None:
        self._run_id = run_id
        self._workflow = workflow
        self._started_at = time.perf_counter()
        self._is_watched = _log.is_enabled("debug")
        if self._is_watched:
            _log.debug("run_started", **self._facts())

    def finished(self) -> None:
        """Report that every node has its result or was skipped."""
        if self._is_watched:
            _log.debug("run_finished", duration_s=self._duration_s, **self._facts())

    def failed(self, error: Exception) -> None:
        """Report what ended the run before its time."""
        _log.info(
            "run_failed",
            error=type(error).__name__,
            duration_s=self._duration_s,
            **self._facts(),
        )

    @property
    def _duration_s(self) -> float:
        return round(time.perf_counter() - self._started_at, 6)

    def _facts(self) -> dict[str, object]:
        workflow = self._workflow
        nodes = len(workflow.steps)
        return {"run_id": self._run_id, "workflow": workflow.name, "n_nodes": nodes}
