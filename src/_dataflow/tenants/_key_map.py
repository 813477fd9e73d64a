"""Which key the row of an export has here, for keys that come anew.

There may be one for each row, in any order, and the memory stays flat: they are in a
temporary database of SQLite, which has no name, spills into a file where it grows, and is
gone with its connection, also when the process is killed.
Source: sqlite.org/inmemorydb.html, "Temporary Databases".
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar, final

import anyio
import msgspec
from anyio import to_thread

__all__ = ["KeyMap", "KeyMapError", "key_map"]

T = TypeVar("T")

_CACHE_KIB: Final = 8192
"""Of pages; what is beyond it is in the file."""

_SCHEMA: Final = (
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    # Nothing of it is ever rolled back, or outlives the connection.
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    (
        "CREATE TABLE keys (model text NOT NULL, old integer NOT NULL, "
        "new integer NOT NULL, PRIMARY KEY (model, old)) WITHOUT ROWID"
    ),
    "BEGIN",
)
_NOTE: Final = "INSERT INTO keys (model, old, new) VALUES (?, ?, ?)"
_FIND: Final = (
    "SELECT old, new FROM keys "
    "WHERE model = ? AND old IN (SELECT value FROM json_each(?))"
)


class KeyMapError(Exception):
    """Keys could not be noted, or found; says why."""


@final
class KeyMap:
    """Keys here by keys of an export; `key_map` opens one.

    Each call is one hop to a thread; no two may run at once.

    Args:
        connection: To the temporary database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def note(self, model: str, old: Sequence[int], new: Sequence[int]) -> None:
        """Note the keys of some rows of *model*.

        Raises:
            KeyMapError: Two rows have one key, or there is no room on the disk.
        """
        rows = [(model, *pair) for pair in zip(old, new, strict=True)]

        def note() -> None:
            # The cursor ends here: whoever drops it later, in another thread, would
            # reset the statement that the next call is about to run.
            self._connection.executemany(_NOTE, rows).close()

        await _in_thread(note)

    async def find(self, model: str, old: Iterable[int]) -> dict[int, int]:
        """Return the keys here of some rows of *model*, as far as they were noted.

        Raises:
            KeyMapError: The disk cannot be read.
        """
        wanted = msgspec.json.encode([*set(old)]).decode()

        def find() -> dict[int, int]:
            return dict(self._connection.execute(_FIND, (model, wanted)))

        return await _in_thread(find)


@asynccontextmanager
async def key_map() -> AsyncGenerator[KeyMap]:
    """Return a block with an empty map; nothing is left of it at its end.

    Raises:
        KeyMapError: There is no place for temporary files.
    """
    connection = await _in_thread(_open)
    try:
        yield KeyMap(connection)
    finally:
        with anyio.CancelScope(shield=True):  # it may have a large file to delete
            await to_thread.run_sync(connection.close)


def _open() -> sqlite3.Connection:
    # Any thread of the pool may be next, and only one is at a time.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for text in _SCHEMA:
        connection.execute(text)
    return connection


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await to_thread.run_sync(work)
    except sqlite3.IntegrityError as error:
        problem = "two rows have the same key"
        raise KeyMapError(problem) from error
    except (sqlite3.Error, OverflowError) as error:
        problem = f"keys cannot be kept in a temporary file: {error}"
        raise KeyMapError(problem) from error
