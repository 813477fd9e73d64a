"""Nodes: what users ask for, checked, and the actors that do it."""

from __future__ import annotations

from ._catalogue import Catalogue
from ._database import Database, Prepare
from ._engine import Engine
from ._engines import Engines
from ._function import FunctionNode
from ._lease import Lease
from ._node import Host, Node, Port
from ._registry import NodeRegistry, registry
from ._sender import sender
from .limits import GivenLimits, Limits, TenantLimits
from .model import KINDS, ModelNode
from .raw import SqlNode, databases
from .streams import BATCH_SIZE, IDLE_S, Call, Channel, RecordStream
from .tenants import Apart

__all__ = [
    "BATCH_SIZE",
    "IDLE_S",
    "KINDS",
    "Apart",
    "Call",
    "Catalogue",
    "Channel",
    "Database",
    "Engine",
    "Engines",
    "FunctionNode",
    "GivenLimits",
    "Host",
    "Lease",
    "Limits",
    "ModelNode",
    "Node",
    "NodeRegistry",
    "Port",
    "Prepare",
    "RecordStream",
    "SqlNode",
    "TenantLimits",
    "databases",
    "registry",
    "sender",
]
