"""Nodes: what users ask for, checked, and the actors that do it."""

from __future__ import annotations

from ._database import Database, Prepare
from ._engine import Engine
from ._function import FunctionNode
from ._model_node import ModelNode
from ._node import Host, Node, Port
from ._registry import NodeRegistry, registry
from ._sql import SqlNode, databases
from .kinds import KINDS

__all__ = [
    "KINDS",
    "Database",
    "Engine",
    "FunctionNode",
    "Host",
    "ModelNode",
    "Node",
    "NodeRegistry",
    "Port",
    "Prepare",
    "SqlNode",
    "databases",
    "registry",
]
