"""The kinds of nodes that every model gets, one file per kind."""

from __future__ import annotations

from ._explain import ExplainNode
from ._history import HistoryNode
from ._kinds import KINDS
from ._list import ListNode
from ._list import Plan as ListPlan

__all__ = ["KINDS", "ExplainNode", "HistoryNode", "ListNode", "ListPlan"]
