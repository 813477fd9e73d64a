"""What SQLite asks before it prepares a statement, in the words of `Touch`.

SQLite tells all that a statement does: by itself, by a view, a trigger or a foreign key.
So nothing that a reader of its text has misunderstood gets past this. What it does not
tell is that ``INSERT OR REPLACE`` deletes.

Source: sqlite.org/c3ref/set_authorizer.html, c3ref/c_alter_table.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, final

from ...sql import Permits, Touch

__all__ = ["Authorizer"]

_ROWS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_READ: "read",
    sqlite3.SQLITE_INSERT: "create",
    sqlite3.SQLITE_UPDATE: "update",
    sqlite3.SQLITE_DELETE: "delete",
}
_SCHEMA_OF_FIRST: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_TEMP_TABLE,
        sqlite3.SQLITE_DROP_VTABLE,
    }
)
_SCHEMA_OF_SECOND: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TEMP_INDEX,
        sqlite3.SQLITE_ALTER_TABLE,
    }
)
_HARMLESS: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})

_SCHEMA_TABLES: Final = frozenset({"sqlite_master", "sqlite_temp_master"})
"""What SQLite reads and writes by itself; whoever else writes to them it refuses, as
long as nobody has switched ``writable_schema`` on."""

_LOADING: Final = frozenset({"load_extension", "fts3_tokenizer"})
"""The functions of SQLite, and of this driver, that do more than compute."""

_OWN_PRAGMA: Final = "data_version"
"""What full-text tables ask for. Source: SQLite, ext/fts5/fts5_storage.c."""


@final
class Authorizer:
    """Answers SQLite while one statement is prepared, and run.

    Args:
        permits: Says what is permitted.

    Attributes:
        refusal: Why the statement was refused, or None.
    """

    def __init__(self, permits: Permits) -> None:
        self.refusal: Exception | None = None
        self._permits = permits
        self._has_schema = False

    def __call__(
        self,
        code: int,
        first: str | None,
        second: str | None,
        database: str | None,
        within: str | None,
    ) -> int:
        """Return whether a statement may do this."""
        del database  # a table of the same name elsewhere is taken for it
        touch = _touch(code, first or "", second or "", within)
        if touch is None or (code == sqlite3.SQLITE_REINDEX and self._has_schema):
            return sqlite3.SQLITE_OK  # the latter is a part of what was permitted
        refusal = self._permits(touch)
        if refusal is not None:
            # SQLite goes on asking about the rest of a trigger.
            self.refusal = self.refusal or refusal
            return sqlite3.SQLITE_DENY
        self._has_schema = self._has_schema or touch.action == "schema"
        return sqlite3.SQLITE_OK


def _touch(code: int, first: str, second: str, within: str | None) -> Touch | None:
    """Return what is done; None if that is nothing to ask about."""
    if _is_harmless(code, first, second):
        return None
    action = _ROWS.get(code)
    if action is not None:
        return Touch(action, first, second or None, within)
    if code in _SCHEMA_OF_FIRST:
        return Touch("schema", first, None, within)
    if code in _SCHEMA_OF_SECOND:
        return Touch("schema", second, None, within)
    return Touch("other", first or second, None, within)


def _is_harmless(code: int, first: str, second: str) -> bool:
    if code == sqlite3.SQLITE_FUNCTION:
        return second.lower() not in _LOADING
    if code == sqlite3.SQLITE_PRAGMA:
        return (first, second) == (_OWN_PRAGMA, "")
    return code in _HARMLESS or (code in _ROWS and first in _SCHEMA_TABLES)
