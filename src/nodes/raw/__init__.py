"""Raw SQL as a node, and which database it means."""

from __future__ import annotations

from ._databases import Databases, databases
from ._sql_actor import SqlActor
from ._sql_node import SqlNode

__all__ = ["Databases", "SqlActor", "SqlNode", "databases"]
