"""The nodes of a model: one file per kind below, and here what they share."""

from __future__ import annotations

from ._bulk_actor import BULK_MAILBOX, BulkActor
from ._bulk_node import BulkNode
from ._guarded_connection import GuardedDriver
from ._include import in_one_snapshot, isolated, load
from ._model_node import Arriving, ModelNode
from ._node_actor import NodeActor
from ._options import came, flag, whole_number
from ._triggers import Triggers
from ._unavailable_node import UnavailableNode
from ._view import settle, view_of
from .kinds import KINDS, ExplainNode, HistoryNode, ListNode, ListPlan

__all__ = [
    "BULK_MAILBOX",
    "KINDS",
    "Arriving",
    "BulkActor",
    "BulkNode",
    "ExplainNode",
    "GuardedDriver",
    "HistoryNode",
    "ListNode",
    "ListPlan",
    "ModelNode",
    "NodeActor",
    "Triggers",
    "UnavailableNode",
    "came",
    "flag",
    "in_one_snapshot",
    "isolated",
    "load",
    "settle",
    "view_of",
    "whole_number",
]
