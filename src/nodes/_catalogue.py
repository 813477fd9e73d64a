"""The models of one database, and the nodes generated from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, final

from ..errors import UnknownModelError, UnknownNodeError
from ..messages import Operation
from ..models import Model, declare, seal
from ._database import Database
from ._node import Node
from ._registry import registry
from .model import KINDS, ModelNode
from .raw import databases

__all__ = ["Catalogue"]


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
        self._models: dict[str, Model] = {}
        raw = databases.add(database)
        self._nodes: dict[str, Node] = {raw.name: raw}

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, in the order they were declared."""
        return MappingProxyType(self._models)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return MappingProxyType(self._nodes)

    def add(self, cls: type) -> tuple[Model, Mapping[Operation, ModelNode[Any]]]:
        """Declare a model and return it, with its nodes by what they do.

        One of the same name is replaced; workflows that were built with its nodes
        keep them.

        Raises:
            ModelError: The class cannot be mapped.
            ClosedError: The database is closed.
        """
        self._database.check_open()
        model = declare(cls)
        if self._accept is not None:
            self._accept(model)
        nodes = [kind(model, self._database) for kind in KINDS if kind.suits(model)]
        seal(cls, model)
        self._models[model.name] = model
        self._nodes.update((node.name, node) for node in nodes)
        registry.add(nodes)
        return model, {node.operation: node for node in nodes}

    def model(self, name: str) -> Model:
        """Return the model of this name.

        Raises:
            UnknownModelError: There is none; the nearest name is told.
        """
        try:
            return self._models[name]
        except KeyError:
            raise UnknownModelError(name, tuple(self._models)) from None

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
