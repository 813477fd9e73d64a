"""The models of one database, and the nodes generated from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, final

import msgspec

from ..errors import UnknownModelError, UnknownNodeError
from ..messages import Operation
from ..models import Family, Model, declare, seal
from ..sql import attach_columns
from ._database import Database
from ._node import Node
from ._registry import registry
from .model import KINDS, ExplainNode, HistoryNode, ModelNode, UnavailableNode
from .raw import databases
from .streams import StreamNode

__all__ = ["Catalogue"]

_DIRECT: Final[tuple[type[ModelNode[Any]], ...]] = (
    StreamNode,
    ExplainNode,
    HistoryNode,
)
"""Kinds that serve direct calls only: no workflow finds them."""


@final
class Catalogue:
    """Declares models and finds their nodes; raw SQL is always there.

    Args:
        database: Where the rows are.
        accept: Told each model before anything is made of it; may refuse it.
    """

    def __init__(
        self, database: Database, accept: Callable[[Model], None] | None = None
    ) -> None:
        self._database = database
        self._accept = accept
        self._family = Family(keeps_apart=database.apart is not None)
        raw = databases.add(database)
        self._nodes: dict[str, Node] = {raw.name: raw}

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, in the order they were declared."""
        return self._family.models

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return MappingProxyType(self._nodes)

    def add(self, cls: type) -> tuple[Model, Mapping[Operation, ModelNode[Any]]]:
        """Declare a model and return it, with its nodes by what they do.

        One of the same name is replaced; workflows that were built with its nodes
        keep them.

        Raises:
            ModelError: The class cannot be mapped, or refers to what does not fit.
            ClosedError: The database is closed.
        """
        self._database.check_open()
        return self._join(declare(cls, self._family))

    def adopt(self, model: Model) -> tuple[Model, Mapping[Operation, ModelNode[Any]]]:
        """Take in a model that is there already; else as `add`.

        Returns:
            The model as one of this database, and its nodes by what they do.

        Raises:
            ClosedError: The database is closed.
        """
        self._database.check_open()
        return self._join(msgspec.structs.replace(model, family=self._family))

    def _join(self, model: Model) -> tuple[Model, Mapping[Operation, ModelNode[Any]]]:
        if self._accept is not None:
            self._accept(model)
        nodes = [self._make(kind, model) for kind in KINDS if kind.suits(model)]
        self._family.add(model)
        seal(model.python_type, model)
        attach_columns(model.python_type, model)
        self._nodes.update((node.name, node) for node in nodes)
        registry.add(nodes)
        direct = [kind(model, self._database) for kind in _DIRECT if kind.suits(model)]
        return model, {node.operation: node for node in (*nodes, *direct)}

    def _make(self, kind: type[ModelNode[Any]], model: Model) -> ModelNode[Any]:
        reason = model.unavailable.get(kind.operation)
        if reason is None:
            return kind(model, self._database)
        return UnavailableNode(kind, model, self._database, reason)

    def model(self, name: str) -> Model:
        """Return the model of this name.

        Raises:
            UnknownModelError: There is none; the nearest name is told.
        """
        try:
            return self.models[name]
        except KeyError:
            raise UnknownModelError(name, tuple(self.models)) from None

    def node(self, name: str) -> Node:
        """Return the node of this name.

        Raises:
            UnknownNodeError: There is none; the nearest name is told.
        """
        try:
            return self._nodes[name]
        except KeyError:
            raise UnknownNodeError(name, tuple(self._nodes)) from None

    def close(self) -> None:
        """Let no builder find the nodes by their names any more."""
        registry.remove(self._database)
        databases.remove(self._database)
