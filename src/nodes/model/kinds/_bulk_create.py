"""Create many rows."""

from __future__ import annotations

from typing import final

from ....messages import Operation
from ..bulk import BulkStoreNode

__all__ = ["BulkCreateNode"]


@final
class BulkCreateNode(BulkStoreNode):
    """Stores new rows; one that exists is an error unless said otherwise.

    ``conflict_resolution="skip"`` leaves a row with the same ``key_fields`` as it
    is, ``"upsert"`` changes it.
    """

    operation = Operation.BULK_CREATE
    suffix = "BulkCreateNode"

    def resolutions(self) -> tuple[str, ...]:
        """Return error, skip and upsert."""
        return ("error", "skip", "upsert")
