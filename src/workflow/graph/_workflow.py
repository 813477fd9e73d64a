"""A built workflow: checked, compiled for the scheduler, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...nodes import Node
from ._diagram import draw
from ._edge import Edge

__all__ = ["Step", "Workflow"]


class Step(msgspec.Struct, frozen=True, eq=False):
    """A node in its place in a workflow.

    Attributes:
        id: Its name in the workflow and in the results.
        node: What it is.
        parameters: The constants it is given.
        promised: Parameters that every run must supply.
        is_fatal: Its failure fails the run.
        connected: Inputs that a connection leads to.
        edges: Connections to the nodes behind it.
    """

    id: str
    node: Node
    parameters: Mapping[str, Any]
    promised: frozenset[str]
    is_fatal: bool
    connected: frozenset[str] = frozenset()
    edges: tuple[Edge, ...] = ()

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"{self.node.name} {self.id!r}"


class Workflow(msgspec.Struct, frozen=True, eq=False):
    """An immutable graph of nodes; runs any number of times, also at once.

    Made by `WorkflowBuilder.build`.

    Attributes:
        name: What logs and diagrams call it.
        steps: The nodes by id; each comes after all that it waits for.
        roots: The nodes that wait for nothing.
        promising: The nodes that some parameter is promised to.
        indegrees: Connections that lead to each node.
    """

    name: str
    steps: Mapping[str, Step]
    roots: tuple[Step, ...]
    promising: tuple[Step, ...]
    indegrees: Mapping[str, int]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The connections, by the node they come from."""
        return tuple(edge for step in self.steps.values() for edge in step.edges)

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart; dotted edges are conditional."""
        types = {step.id: step.node.name for step in self.steps.values()}
        return draw(types, self.edges)

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}: {', '.join(self.steps)}>"
