"""Everything that can be wrong with a workflow before it runs.

Order is fixed: connections as they were added, then cycles, then nodes as they
were added. So the same mistake always gives the same error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

from ...errors import (
    CycleError,
    DataFlowError,
    EdgeError,
    FieldValueError,
    UnknownFieldError,
    UnknownNodeError,
    WorkflowBuildError,
)
from ._edge import Edge
from ._graph import find_cycle
from ._parameter import PARAMETER
from ._workflow import Step

__all__ = ["problems"]

_TEMPLATE: Final = re.compile(r"\$\{\s*([^{}]*?)\s*\}")


def problems(
    steps: Mapping[str, Step], edges: Sequence[Edge]
) -> Iterator[DataFlowError]:
    """Yield what is wrong, first things first."""
    if not steps:
        yield WorkflowBuildError("the workflow is empty: add a node with add_node")
    graph: dict[str, list[str]] = {name: [] for name in steps}
    taken: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        problem = _edge_problem(edge, steps, taken)
        if problem is None:
            graph[edge.source].append(edge.target)
            taken[edge.target, edge.input] = edge
        else:
            yield problem
    cycle = find_cycle(graph)
    if cycle:
        yield CycleError(cycle)
    for step in steps.values():
        yield from _step_problems(step, steps)


def _edge_problem(
    edge: Edge, steps: Mapping[str, Step], taken: Mapping[tuple[str, str], Edge]
) -> DataFlowError | None:
    """Return what is wrong with *edge*, given the inputs *taken* by those before."""
    for end in (edge.source, edge.target):
        if end not in steps:
            unknown = UnknownNodeError(end, tuple(steps))
            unknown.add_note(f"in the connection {edge}")
            return unknown
    other = taken.get((edge.target, edge.input))
    if other is not None:
        return EdgeError(str(edge), f"{other} leads to the same input: remove one")
    problem = _port_problem(edge, steps[edge.source], steps[edge.target])
    return None if problem is None else EdgeError(str(edge), problem)


def _port_problem(edge: Edge, source: Step, target: Step) -> str | None:
    """Say why the output cannot enter the input, None if it can."""
    output = source.node.offers(edge.path[0])
    if output is None:
        known = source.node.outputs()
        result = f"the result of {source.where}"
        return str(UnknownFieldError(result, edge.path[0], known))
    port = target.node.accepts(edge.input)
    if port is None:
        return str(UnknownFieldError(target.where, edge.input, target.node.inputs()))
    if len(edge.path) == 1 and not port.takes_from(output):
        return f"the output is {output.expected}, the input takes {port.expected}"
    return None


def _step_problems(step: Step, steps: Mapping[str, Step]) -> Iterator[DataFlowError]:
    flaw = next(_flaws(step, step.parameters, "", steps), None)
    if flaw is not None:
        yield flaw
        return
    try:
        step.node.check(step.where, step.parameters, step.connected | step.promised)
    except DataFlowError as error:
        yield error


def _flaws(
    step: Step, value: object, place: str, steps: Mapping[str, Step]
) -> Iterator[DataFlowError]:
    """Yield what no node can take, wherever it hides in *value*."""
    if isinstance(value, str):
        template = _TEMPLATE.search(value)
        if template is not None:
            hint = _connection(template[1], step, place, steps)
            came = "a template string such as ${node.output}"
            yield FieldValueError(step.where, place, came, hint)
    elif value is PARAMETER:
        expected = "a value: PARAMETER stands for whole parameters only"
        yield FieldValueError(step.where, place, "PARAMETER inside one", expected)
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[object, object]", value).items():
            yield from _flaws(step, each, f"{place}.{key}".lstrip("."), steps)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, each in enumerate(cast("Iterable[object]", value)):
            yield from _flaws(step, each, f"{place}.{index}", steps)


def _connection(
    reference: str, step: Step, place: str, steps: Mapping[str, Step]
) -> str:
    """Say which connection would do what the template *reference* was meant for."""
    source, _, output = reference.partition(".")
    field = place.partition(".")[0]
    if source in steps and output:
        call = f"add_connection({source!r}, {output!r}, {step.id!r}, {field!r})"
    else:
        call = f"add_connection(source, output, {step.id!r}, {field!r})"
    return f"a value, or a connection by {call}"
