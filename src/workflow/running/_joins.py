"""Which connections of a run are settled, and what arrived by them.

A connection settles once: it carries a value, or it is skipped. A node that has
connections and got nothing by any of them is skipped, with all behind it. A value
that is not there, or a condition that raises, fails the node behind the connection.
"""

from __future__ import annotations

from collections import deque
from typing import Any, final

from ..graph import Step, Workflow
from ..graph._edge import Edge
from ..graph._path import pick

__all__ = ["Joins"]


@final
class Joins:
    """The state of all connections; knows nothing of time, hosts and messages.

    Attributes:
        ready: Nodes whose connections are all settled, to be sent or skipped.
        skipped: Ids of the nodes that got nothing.
        failures: By id, why a node cannot be sent.
    """

    __slots__ = ("_arrived", "_steps", "_waiting", "failures", "ready", "skipped")

    def __init__(self, workflow: Workflow) -> None:
        self.ready = deque(workflow.roots)
        self.skipped: set[str] = set()
        self.failures: dict[str, Exception] = {}
        self._steps = workflow.steps
        self._waiting = dict(workflow.indegrees)
        self._arrived: dict[str, dict[str, Any]] = {}

    def take(self, step: Step) -> dict[str, Any] | None:
        """Return what arrived for a ready node; None when it is to be skipped."""
        return self._arrived.pop(step.id, None) if step.connected else {}

    def carry(self, step: Step, result: object) -> None:
        """Settle the connections from a node that replied."""
        for edge in step.edges:
            try:
                value = pick(result, edge.path, edge.source)
                if edge.when is None or edge.when(value):
                    self._arrived.setdefault(edge.target, {})[edge.input] = value
            except Exception as error:  # noqa: BLE001  # a condition is the user's code
                self.failures.setdefault(edge.target, error)
            self._settle(edge)

    def drop(self, step: Step) -> None:
        """Settle the connections from a node that has no result."""
        for edge in step.edges:
            self._settle(edge)

    def skip(self, step: Step) -> None:
        """Note that a node got nothing."""
        self.skipped.add(step.id)
        self.drop(step)

    def _settle(self, edge: Edge) -> None:
        left = self._waiting[edge.target] - 1
        self._waiting[edge.target] = left
        if not left:
            self.ready.append(self._steps[edge.target])
