"""Rows in bulk: read from where they come from, checked, packed, stored batch by batch."""

from __future__ import annotations

from ._actor import BULK_MAILBOX, BulkActor
from ._node import BulkNode
from ._repair import insert_again
from ._report import report, report_ports
from ._rows import RowReader
from ._source import Rows, Source, rows_of
from ._store import DEFAULT_ROWS, Manner
from ._store_node import BulkStoreNode
from ._stream import Acquire, Stream, lend
from .loading import loader_of

__all__ = [
    "BULK_MAILBOX",
    "DEFAULT_ROWS",
    "Acquire",
    "BulkActor",
    "BulkNode",
    "BulkStoreNode",
    "Manner",
    "RowReader",
    "Rows",
    "Source",
    "Stream",
    "insert_again",
    "lend",
    "loader_of",
    "report",
    "report_ports",
    "rows_of",
]
