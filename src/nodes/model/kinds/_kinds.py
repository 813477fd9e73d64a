"""What is generated when a model is declared."""

from __future__ import annotations

from typing import Any, Final

from .._model_node import ModelNode
from ._aggregate import AggregateNode
from ._bulk_create import BulkCreateNode
from ._bulk_delete import BulkDeleteNode
from ._bulk_update import BulkUpdateNode
from ._bulk_upsert import BulkUpsertNode
from ._count import CountNode
from ._create import CreateNode
from ._delete import DeleteNode
from ._list import ListNode
from ._read import ReadNode
from ._restore import RestoreNode
from ._update import UpdateNode
from ._upsert import UpsertNode

__all__ = ["KINDS"]

KINDS: Final[tuple[type[ModelNode[Any]], ...]] = (
    CreateNode,
    ReadNode,
    UpdateNode,
    DeleteNode,
    ListNode,
    BulkCreateNode,
    BulkUpdateNode,
    BulkDeleteNode,
    BulkUpsertNode,
    CountNode,
    AggregateNode,
    UpsertNode,
    RestoreNode,
)
"""One node of each kind, per model."""
