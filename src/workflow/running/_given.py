"""What a run is given: `parameters=`, by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...errors import MissingFieldError, UnknownNodeError
from ..graph import Workflow

__all__ = ["Given", "check_given", "check_values"]

Given = Mapping[str, Mapping[str, Any]]
"""By id of the node, its parameters by name."""


def check_given(workflow: Workflow, parameters: Given | None) -> Given:
    """Check that *parameters* are for nodes of *workflow* and keep all its promises.

    Raises:
        UnknownNodeError: For a node that is not there.
        MissingFieldError: A promise is not kept.
        TypeError: Not a mapping of mappings.
    """
    given = parameters or {}
    for step in workflow.promising:
        for name in sorted(step.promised - given.get(step.id, {}).keys()):
            example = f"parameters={{{step.id!r}: {{{name!r}: ...}}}}"
            raise MissingFieldError(step.where, name, f"promised to {example}")
    for node_id, values in given.items():
        if node_id not in workflow.steps:
            raise UnknownNodeError(node_id, tuple(workflow.steps))
        if not isinstance(cast("object", values), Mapping):
            msg = f"parameters[{node_id!r}] is a mapping of names to values"
            raise TypeError(msg)
    return given


def check_values(workflow: Workflow, given: Given) -> None:
    """Check that each node can use what it is given beside and above its constants.

    Raises:
        ParameterError: It cannot.
        FilterError: Nor understand a filter.
    """
    for node_id, values in given.items():
        step = workflow.steps[node_id]
        step.node.check(step.where, {**step.parameters, **values}, step.connected)
