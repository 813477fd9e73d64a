"""Deleting the keys of persons: what the audit has of them is closed for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..audit import SubjectKeys, subject_name
from ..models import Model
from ..nodes import Lease
from ._reach import Row

__all__ = ["forget"]


async def forget(lease: Lease, rows: Iterable[tuple[Model, Sequence[Row]]]) -> int:
    """Delete the keys that are kept for rows, of persons or of rows of nobody.

    It is part of the transaction: if that is undone, the keys are there as before.

    Args:
        lease: The transaction.
        rows: Models, and rows of them with their keys.

    Returns:
        How many keys there were.
    """
    keys = SubjectKeys(lease.connection, lease.dialect, None, lease.schema)
    if not await keys.is_there():
        return 0
    names: set[str] = set()
    for model, found in rows:
        if found and model.key:
            fixed = lease.table(model).fixed  # the tenant
            names |= {subject_name(model, {**row, **fixed}) for row in found}
    return await keys.delete(names)
