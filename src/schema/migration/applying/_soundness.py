"""What a migration of SQLite may break without an error: foreign keys and views."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ....drivers import Connection
from ....errors import DriverError, MigrationCheckError
from ..writing import quote
from ._look import ask

__all__ = ["defects", "see_sound"]

_KEYS: Final = 'SELECT "table", rowid, parent, fkid FROM pragma_foreign_key_check'
_VIEWS: Final = "SELECT name FROM sqlite_master WHERE type = 'view'"


async def defects(connection: Connection) -> frozenset[tuple[Any, ...]]:
    """Return rows that refer to nothing, and views that do not work.

    Inside of a transaction.
    """
    found = {tuple(row) for row in await ask(connection, _KEYS)}
    for (name,) in await ask(connection, _VIEWS):
        try:
            async with connection.transaction():
                await ask(connection, f"SELECT 1 FROM {quote(name)} LIMIT 0")
        except DriverError:
            found.add((name,))
    return frozenset(found)


async def see_sound(
    connection: Connection, before: Collection[tuple[Any, ...]]
) -> None:
    """See that there is no defect that was not there before.

    Raises:
        MigrationCheckError: There is.
    """
    found = await defects(connection) - {*before}
    if found:
        names = ", ".join(sorted({str(each[0]) for each in found}))
        problem = f"{names} would refer to what is not there; nothing was changed"
        step = "see that nothing is broken"
        raise MigrationCheckError(step, problem)
