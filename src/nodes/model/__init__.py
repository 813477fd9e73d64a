"""The nodes of a model: one file per kind below, and here what they share."""

from __future__ import annotations

from ._bulk_actor import BULK_MAILBOX, BulkActor
from ._bulk_node import BulkNode
from ._model_node import ModelNode
from ._node_actor import NodeActor
from ._unavailable_node import UnavailableNode
from .kinds import KINDS

__all__ = [
    "BULK_MAILBOX",
    "KINDS",
    "BulkActor",
    "BulkNode",
    "ModelNode",
    "NodeActor",
    "UnavailableNode",
]
