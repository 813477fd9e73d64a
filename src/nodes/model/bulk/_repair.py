"""Generated keys that have fallen behind the keys there are.

Rows that came with keys of their own (an import, an upsert) leave PostgreSQL's
sequence behind; the first key it then makes is taken already. SQLite's AUTOINCREMENT
looks at the table and needs none of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeVar

from ....drivers import Connection
from ....errors import DuplicateKeyError
from ....sql import Table

__all__ = ["insert_again"]

T = TypeVar("T")

_ATTEMPTS: Final = 5
"""Others may take a key between the repair and the next attempt."""


async def insert_again(
    connection: Connection,
    table: Table,
    error: DuplicateKeyError,
    given: Collection[str],
    insert: Callable[[], Awaitable[T]],
) -> T:
    """Move the sequence of a generated key past the keys there are; insert again.

    Args:
        connection: Where *error* came from.
        table: The table.
        error: What the insert raised.
        given: The fields the insert gave.
        insert: What to do again.

    Raises:
        DuplicateKeyError: It has another reason than a sequence that is behind.
    """
    key = table.model.generated_key
    repair = table.repair_key()
    if key is None or repair is None or key in given:
        raise error
    for _ in range(_ATTEMPTS):
        if error.fields != (key,):
            break
        await connection.run((repair,))
        try:
            return await insert()
        except DuplicateKeyError as again:
            error = again
    raise error
