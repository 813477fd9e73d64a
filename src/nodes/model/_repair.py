"""Generated keys that have fallen behind the keys there are."""

from __future__ import annotations

from collections.abc import Collection

from ..drivers import Connection
from ..errors import DuplicateKeyError
from ..sql import Table

__all__ = ["with_key_repair"]


async def with_key_repair(
    connection: Connection, table: Table, error: DuplicateKeyError, given: Collection[str]
) -> bool:
    """Move the sequence of a generated key past the keys there are, if it is behind.

    Rows that came with keys of their own (an import, an upsert) leave PostgreSQL's
    sequence behind; the first key it then makes is taken already. SQLite's
    AUTOINCREMENT looks at the table and needs none of this.

    Args:
        connection: Where *error* came from.
        table: The table.
        error: What the insert raised.
        given: The fields the insert gave.

    Returns:
        Whether the same insert is worth another try.
    """
    key = table.model.generated_key
    repair = table.repair_key()
    if repair is None or key is None or key in given or error.fields != (key,):
        return False
    await connection.run((repair,))
    return True
