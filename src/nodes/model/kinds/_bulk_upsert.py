"""Create many rows, or change those that are there."""

from __future__ import annotations

from typing import final

from ....messages import Operation
from ..bulk import BulkStoreNode

__all__ = ["BulkUpsertNode"]


@final
class BulkUpsertNode(BulkStoreNode):
    """Stores new rows and changes those with the same ``key_fields``.

    ``conflict_resolution="skip"`` leaves them as they are. Of two rows in the data
    with the same key the first is inserted and the second changes it.
    """

    operation = Operation.BULK_UPSERT
    suffix = "BulkUpsertNode"

    def resolutions(self) -> tuple[str, ...]:
        """Return update and skip."""
        return ("update", "skip")
