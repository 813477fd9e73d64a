"""What is wrong with a workflow, and how a run ends."""

from __future__ import annotations

from ._base import DataFlowError, hint

__all__ = [
    "CycleError",
    "EdgeError",
    "UnknownNodeError",
    "WorkflowBuildError",
    "WorkflowError",
]


class WorkflowBuildError(DataFlowError, ValueError):
    """A workflow cannot be built as written.

    Attributes:
        problem: What is wrong and what would be right.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class UnknownNodeError(WorkflowBuildError):
    """No node type of this name, or no node of this id.

    Attributes:
        name: What was asked for.
        known: The names there are.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no node {name!r}: {hint(name, known)}")
        self.args = (name, known)
        self.name = name
        self.known = known


class EdgeError(WorkflowBuildError):
    """A connection that cannot carry what it should.

    Attributes:
        edge: The connection, as ``source.output -> target.input``.
    """

    def __init__(self, edge: str, problem: str) -> None:
        super().__init__(f"{edge}: {problem}")
        self.args = (edge, problem)
        self.edge = edge


class CycleError(WorkflowBuildError):
    """The connections form a cycle, so no node of it could ever start.

    Attributes:
        nodes: Ids of the nodes in the cycle, in order.
    """

    def __init__(self, nodes: tuple[str, ...]) -> None:
        path = " -> ".join((*nodes, nodes[0]))
        super().__init__(f"{path} is a cycle: remove one of its connections")
        self.args = (nodes,)
        self.nodes = nodes


class WorkflowError(DataFlowError):
    """A node failed, and with it the run; the node's error is the cause.

    Attributes:
        node_id: Id of the node in its workflow.
        run_id: Id of the run.
        reason: What the node's error says.
    """

    def __init__(self, node_id: str, run_id: str, reason: str) -> None:
        super().__init__(node_id, run_id, reason)
        self.node_id = node_id
        self.run_id = run_id
        self.reason = reason

    def __str__(self) -> str:
        return f"node {self.node_id!r} failed: {self.reason} (run {self.run_id})"
