"""What a run is given: `parameters=`, by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...errors import MissingFieldError, UnknownNodeError
from ..graph import Step, Workflow

__all__ = ["Given", "check_given", "check_values"]

Given = Mapping[str, Mapping[str, Any]]
"""By id of the node, its parameters by name."""

_NOTHING: Final[Mapping[str, Any]] = {}


def check_given(workflow: Workflow, parameters: Given | None) -> Given:
    """Check that *parameters* are for nodes of *workflow* and keep all its promises.

    Raises:
        UnknownNodeError: For a node that is not there.
        MissingFieldError: A promise is not kept.
        TypeError: Not a mapping of mappings.
    """
    given = parameters or {}
    for step in workflow.promising:
        if not step.promised <= given.get(step.id, _NOTHING).keys():
            raise _missing(step, given.get(step.id, _NOTHING))
    for node_id, values in given.items():
        if node_id not in workflow.steps:
            raise UnknownNodeError(node_id, tuple(workflow.steps))
        # Asking the abstract class costs 0.4 us.
        if type(values) is not dict and not _is_mapping(values):
            msg = f"parameters[{node_id!r}] is a mapping of names to values"
            raise TypeError(msg)
    return given


def _missing(step: Step, values: Mapping[str, Any]) -> MissingFieldError:
    """Return the error for the first promise that is not kept, by name."""
    name = min(step.promised - values.keys())
    example = f"parameters={{{step.id!r}: {{{name!r}: ...}}}}"
    return MissingFieldError(step.where, name, f"promised to {example}")


def _is_mapping(values: object) -> bool:
    return isinstance(values, Mapping)


def check_values(workflow: Workflow, given: Given) -> None:
    """Check that each node can use what it is given beside and above its constants.

    Raises:
        ParameterError: It cannot.
        FilterError: Nor understand a filter.
    """
    for node_id, values in given.items():
        step = workflow.steps[node_id]
        step.node.check(step.where, {**step.parameters, **values}, step.connected)
