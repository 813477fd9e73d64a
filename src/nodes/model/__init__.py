"""The nodes of a model: one file per kind below, and here what they share."""

from __future__ import annotations

from ._include import in_one_snapshot, isolated, load
from ._model_node import Arriving, ModelNode
from ._node_actor import NodeActor
from ._unavailable_node import UnavailableNode
from .bulk import BULK_MAILBOX, BulkActor, BulkNode
from .guards import GuardedDriver, Triggers
from .kinds import KINDS, ExplainNode, HistoryNode, ListNode, ListPlan
from .parameters import came, flag, settle, view_of, whole_number

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
