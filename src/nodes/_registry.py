"""Which node a name means, across all databases of the process.

Two databases may have a model of the same name; then the one that was declared
last, and is still open, is meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Final, final

from ..errors import UnknownNodeError
from ..telemetry import get_log
from ._database import Database
from ._node import Node

__all__ = ["NodeRegistry", "registry"]

_log = get_log("dataflow.nodes")


@final
class NodeRegistry:
    """Nodes by name, the last declared first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._nodes: dict[str, list[Node]] = {}

    def add(self, nodes: Iterable[Node]) -> None:
        """Make *nodes* known, before others of their names.

        Those of the same database and name are replaced.
        """
        with self._lock:
            for node in nodes:
                others = self._nodes.get(node.name, ())
                kept = [each for each in others if each.owner is not node.owner]
                self._nodes[node.name] = [node, *kept]

    def remove(self, owner: Database) -> None:
        """Forget the nodes of a database."""
        with self._lock:
            for name, nodes in list(self._nodes.items()):
                left = [node for node in nodes if node.owner is not owner]
                if left:
                    self._nodes[name] = left
                else:
                    del self._nodes[name]

    def resolve(self, name: str) -> Node:
        """Return the node of this name; says in the log which, if there are several.

        Raises:
            UnknownNodeError: There is none; the nearest name is told.
        """
        with self._lock:
            nodes = list(self._nodes.get(name, ()))
            known = tuple(self._nodes)
        if not nodes:
            raise UnknownNodeError(name, known)
        if len(nodes) > 1:
            _log.info("node_resolved", node=name, database=repr(nodes[0].owner))
        return nodes[0]


registry: Final = NodeRegistry()
"""The one of this process."""
