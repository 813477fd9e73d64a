"""How users write workflows: add nodes, connect them, build."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, final

from msgspec import structs

from ...errors import WorkflowBuildError
from ...nodes import FunctionNode, Node
from .._plugs import Resolve, plugs
from ._check import problems
from ._edge import Edge
from ._graph import order
from ._parameter import PARAMETER
from ._path import split
from ._workflow import Step, Workflow

__all__ = ["WorkflowBuilder"]


@final
class WorkflowBuilder:
    """Collects nodes and connections, then checks and freezes them.

    Nodes and connections come in any order; what does not fit is reported by
    `build`. A builder may go on after `build`; what was built stays as it is.

    Args:
        resolve: Finds a node by name; by default among all models declared.
        name: What logs and diagrams call the workflow.
    """

    def __init__(
        self, resolve: Resolve | None = None, *, name: str = "workflow"
    ) -> None:
        self._resolve = resolve
        self._name = name
        self._steps: dict[str, Step] = {}
        self._edges: list[Edge] = []

    def add_node(
        self,
        node: str | Node | Callable[..., Any],
        node_id: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        on_error: Literal["fail", "continue"] = "fail",
    ) -> str:
        """Add a node and return its id.

        Args:
            node: Name of a node type, a node, or a function to make one of.
            node_id: Its name in this workflow and in the results.
            parameters: Constants, or `PARAMETER` for what each run supplies. A
                constant for a connected input stands in when nothing arrives.
                Lists and dicts in it are shared by all runs: leave them alone.
            on_error: ``fail`` ends the run with a `WorkflowError` when the node
                fails; ``continue`` reports the failure as its result.

        Raises:
            UnknownNodeError: No node type has this name.
            WorkflowBuildError: The id is taken.
        """
        if on_error not in {"fail", "continue"}:
            msg = f"on_error is 'fail' or 'continue', not {on_error!r}"
            raise ValueError(msg)
        if node_id in self._steps:
            problem = f"there are two nodes {node_id!r}: give one another id"
            raise WorkflowBuildError(problem)
        given = dict(parameters or {})
        promised = frozenset(name for name, each in given.items() if each is PARAMETER)
        self._steps[node_id] = Step(
            id=node_id,
            node=self._node(node).bind(given),
            parameters={name: given[name] for name in given if name not in promised},
            promised=promised,
            is_fatal=on_error == "fail",
        )
        return node_id

    def add_connection(
        self,
        source: str,
        output: str,
        target: str,
        input: str,  # noqa: A002  # the word users know; nothing is read here
        *,
        when: Callable[[Any], bool] | None = None,
    ) -> Self:
        """Connect an output of one node to an input of another.

        Args:
            source: Id of the node that gives.
            output: What it gives, with dots into the result: ``records.0.id``.
            target: Id of the node that takes.
            input: Which of its inputs.
            when: Asked with the value whether to carry it. A node that has
                connections, and gets nothing by any of them, is skipped.
        """
        self._edges.append(Edge(source, output, target, input, when, split(output)))
        return self

    def build(self) -> Workflow:
        """Check everything and return the workflow.

        Raises:
            WorkflowBuildError: It is empty, a connection does not fit, or there is
                a cycle. With several problems, the others are notes of the first.
            ParameterError: A node misses a parameter, or cannot use one.
        """
        steps = self._connected()
        found = list(problems(steps, self._edges))
        for other in found[1:]:
            found[0].add_note(f"and: {other}")
        if found:
            raise found[0]
        graph = {name: [e.target for e in step.edges] for name, step in steps.items()}
        return Workflow(
            name=self._name,
            steps={name: steps[name] for name in order(graph)},
            roots=tuple(step for step in steps.values() if not step.connected),
            promising=tuple(step for step in steps.values() if step.promised),
            indegrees={name: len(step.connected) for name, step in steps.items()},
        )

    def _node(self, node: str | Node | Callable[..., Any]) -> Node:
        if isinstance(node, str):
            return (self._resolve or plugs.resolve)(node)
        return node if isinstance(node, Node) else FunctionNode(node)

    def _connected(self) -> dict[str, Step]:
        """Return the nodes with what leads to them, and the edges they lead to."""
        inputs: defaultdict[str, set[str]] = defaultdict(set)
        edges: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in self._edges:
            edges[edge.source].append(edge)
            inputs[edge.target].add(edge.input)
        return {
            name: structs.replace(
                step,
                connected=frozenset(filter(step.node.accepts, inputs[name])),
                edges=tuple(edges[name]),
            )
            for name, step in self._steps.items()
        }
