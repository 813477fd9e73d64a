"""What the databases refuse, in this package's words: one table for each.

Rules of this file: the same refusal is the same class on both databases, with the
same facts as far as both tell them. No text with values of rows gets through: not
PostgreSQL's DETAIL, and not its messages of class 22 (data exceptions), which quote
the offending value. The client's error is the cause of ours, and is stripped of
them too, since a traceback prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from ..errors import (
    AuthenticationError,
    ConnectionLostError,
    ConstraintError,
    DatabaseUnreachableError,
    DriverError,
    DuplicateKeyError,
    ForeignKeyError,
    OutOfRangeError,
    QueryError,
    TransactionConflictError,
)

__all__ = [
    "ENDED",
    "STALE_STATEMENT",
    "postgres_errors",
    "postgres_refusal",
    "sqlite_errors",
    "sqlite_refusal",
]

ENDED: Final = "the connection to the database ended"

STALE_STATEMENT: Final = "0A000"
"""Code of a conflict over a table that changed after a statement was prepared."""

POSTGRES_KINDS: Final[Mapping[str, str]] = {
    "22001": "length",  # string_data_right_truncation: no varchar(n) takes it
    "23001": "foreign_key",  # restrict_violation
    "23502": "not_null",
    "23503": "foreign_key",
    "23505": "unique",
    "23514": "check",
    "23P01": "exclusion",
}

POSTGRES_CODES: Final[Mapping[str, type[DriverError]]] = {
    # Source: PostgreSQL, Appendix A, "Error Codes"; first the code, then its class.
    "08": ConnectionLostError,
    "22003": OutOfRangeError,
    "22008": OutOfRangeError,  # the same of times and intervals
    "25P03": ConnectionLostError,  # idle_in_transaction_session_timeout
    "28": AuthenticationError,
    "3D000": AuthenticationError,  # no such database
    "3F000": QueryError,  # no such schema
    "40": TransactionConflictError,
    "40003": ConnectionLostError,  # statement_completion_unknown
    "42": QueryError,
    "53300": DatabaseUnreachableError,  # too_many_connections
    "55P03": TransactionConflictError,  # lock_not_available
    "57P01": ConnectionLostError,  # admin_shutdown
    "57P02": ConnectionLostError,  # crash_shutdown
    "57P03": DatabaseUnreachableError,  # cannot_connect_now
    "57P05": ConnectionLostError,  # idle_session_timeout
}

SQLITE_KINDS: Final[Mapping[str, str]] = {
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign_key",
    "SQLITE_CONSTRAINT_NOTNULL": "not_null",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
}

SQLITE_CODES: Final[Mapping[str, type[DriverError]]] = {
    # Source: sqlite.org/rescode.html; the name without what follows a second "_".
    "SQLITE_AUTH": QueryError,
    "SQLITE_BUSY": TransactionConflictError,
    "SQLITE_CANTOPEN": DatabaseUnreachableError,
    "SQLITE_ERROR": QueryError,
    "SQLITE_LOCKED": TransactionConflictError,
    "SQLITE_NOTADB": DatabaseUnreachableError,
    "SQLITE_RANGE": QueryError,
}

# RESTRICT is a trigger inside. Source: SQLite, src/fkey.c, fkActionTrigger.
_SQLITE_TRIGGER: Final = "SQLITE_CONSTRAINT_TRIGGER"
_SQLITE_FOREIGN_KEY: Final = "FOREIGN KEY constraint failed"

_SQLITE_OUT_OF_RANGE: Final = "integer overflow"
# SQLite says SQLITE_ERROR both for bad SQL and for what goes wrong as it runs.
_SQLITE_AT_RUN_TIME = re.compile(r"user-defined function raised|malformed JSON")
_TARGET = re.compile(
    r"""\b(?:INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM)\s+(?:"((?:[^"]|"")+)"|(\w+))""",
    re.IGNORECASE,
)
_KEY = re.compile(r"\((.+?)\)=\(")
_PARAMETER = re.compile(r"argument (\$\d+)|parameter (\d+)")


# -- PostgreSQL ---------------------------------------------------------------


def postgres_errors() -> tuple[type[Exception], ...]:
    """Return the classes that asyncpg raises on purpose; look only on an error."""
    asyncpg: Any = import_module("asyncpg")  # it has no types
    return (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    )


def postgres_refusal(error: Exception) -> DriverError:
    """Translate an error of a statement, and strip *error* of values."""
    code = getattr(error, "sqlstate", None) or ""
    if not code:
        return _from_client(error)
    facts: Any = error
    kind = POSTGRES_KINDS.get(code)
    if kind is not None:
        fields = _postgres_fields(facts.column_name, facts.detail)
        facts.detail = None
        name = getattr(facts, "constraint_name", None) or ""
        return _constraint(kind, facts.table_name or "", fields, code, name)
    facts.detail = None
    if type(error).__name__ == "InvalidCachedStatementError":
        message = "a table changed after the statement was prepared: send it again"
        return TransactionConflictError(message, code)
    if code.startswith("22"):
        error.args = (_bad_value(error),)
        error.__cause__ = None
    message = str(error.args[0]) if error.args else ""
    kind_of_error = POSTGRES_CODES.get(code) or POSTGRES_CODES.get(code[:2])
    return (kind_of_error or DriverError)(message, code)


def _from_client(error: Exception) -> DriverError:
    """Translate what asyncpg says by itself, or the socket under it."""
    text = str(error)
    if isinstance(error, OSError) or ("connection" in text and "closed" in text):
        return ConnectionLostError(f"{ENDED}: {text}")
    if type(error).__name__ == "InternalClientError":
        # Its protocol is out of step: the server ended it in the middle of an answer.
        return ConnectionLostError(ENDED)
    if "expects" in text and "argument" in text:
        return QueryError(text)
    return DriverError(text)


def _postgres_fields(column: str | None, detail: str | None) -> tuple[str, ...]:
    if column:
        return (column,)
    # The word before is in the server's language, the form is always the same.
    match = _KEY.search(detail or "")
    if match is None:
        return ()
    return tuple(_unquote(name) for name in match[1].split(", "))


def _unquote(name: str) -> str:
    if name.startswith('"') and name.endswith('"'):
        return name[1:-1].replace('""', '"')
    return name


def _bad_value(error: Exception) -> str:
    """Say what is wrong with a value without saying the value."""
    match = _PARAMETER.search(str(error.args[0])) if error.args else None
    if match is not None:
        return f"parameter {match[1] or match[2]} does not fit its type"
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error"))
    return f"a value does not fit: {words.lower()}"


# -- SQLite -------------------------------------------------------------------


def sqlite_errors() -> tuple[type[Exception], ...]:
    """Return the classes that sqlite3 and aiosqlite raise; look only on an error."""
    import sqlite3  # noqa: PLC0415

    # OverflowError and ValueError (UnicodeError is one): a parameter that SQLite
    # cannot hold. ValueError also: aiosqlite, when its connection is closed.
    return (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError)


def sqlite_refusal(error: Exception, text: str = "") -> DriverError:
    """Translate an error of the statement *text*."""
    code: str = getattr(error, "sqlite_errorname", "")
    message = str(error)
    kind = SQLITE_KINDS.get(code)
    if code == _SQLITE_TRIGGER and message == _SQLITE_FOREIGN_KEY:
        kind = "foreign_key"
    if kind is not None:
        table, fields = _sqlite_place(message.partition(": ")[2], text)
        if kind not in ("unique", "not_null"):
            table, fields = _target(text), ()
        return _constraint(kind, table, fields, code)
    if not code:
        return _from_module(error, message)
    if message == _SQLITE_OUT_OF_RANGE:
        return OutOfRangeError(message, code)
    if code == "SQLITE_ERROR" and _SQLITE_AT_RUN_TIME.search(message):
        return DriverError(message, code)
    primary = "_".join(code.split("_")[:2])
    return SQLITE_CODES.get(primary, DriverError)(message, code)


def _from_module(error: Exception, message: str) -> DriverError:
    """Translate what the sqlite3 module, or aiosqlite, says by itself."""
    if "closed" in message or "no active connection" in message:
        return ConnectionLostError(ENDED)
    match = _PARAMETER.search(message)
    if match is not None or not type(error).__module__.startswith("sqlite3"):
        place = f" {match[1] or match[2]}" if match else ""
        return DriverError(f"parameter{place} does not fit its type")
    return QueryError(message)


def _sqlite_place(place: str, text: str) -> tuple[str, tuple[str, ...]]:
    """Split ``table.a, table.b``; an index on an expression names no columns."""
    if place.startswith("index "):
        return _target(text), ()
    names = [name.rpartition(".") for name in place.split(", ")]
    return names[0][0], tuple(column for _, _, column in names)


def _target(text: str) -> str:
    """Find the table a statement changes, since SQLite does not say it."""
    match = _TARGET.search(text)
    return "" if match is None else (match[1] or match[2]).replace('""', '"')


# -- both ---------------------------------------------------------------------


def _constraint(
    kind: str, table: str, fields: tuple[str, ...], code: str, name: str = ""
) -> ConstraintError:
    if kind == "unique":
        return DuplicateKeyError(table, fields, code, name)
    if kind == "foreign_key":
        return ForeignKeyError(table, fields, code, name)
    return ConstraintError(kind, table, fields, code)
