"""The nodes by which personal data is found, changed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, final

from ..models import Model
from ..nodes import ModelNode, Node

__all__ = ["Nodes"]


@final
class Nodes:
    """Finds the nodes of models.

    Args:
        find: Returns a node by its name.
    """

    def __init__(self, find: Callable[[str], Node]) -> None:
        self._find = find

    def list(self, model: Model) -> ModelNode[Any]:
        """Return what lists rows."""
        return self._of(model, "ListNode")

    def update(self, model: Model) -> ModelNode[Any]:
        """Return what changes rows."""
        return self._of(model, "BulkUpdateNode")

    def delete(self, model: Model) -> ModelNode[Any]:
        """Return what deletes rows."""
        return self._of(model, "BulkDeleteNode")

    def create(self, model: Model) -> ModelNode[Any]:
        """Return what stores rows."""
        return self._of(model, "BulkCreateNode")

    def _of(self, model: Model, suffix: str) -> ModelNode[Any]:
        return cast("ModelNode[Any]", self._find(f"{model.name}{suffix}"))
