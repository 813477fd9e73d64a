"""What a database could not do."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = [
    "AuthenticationError",
    "ConnectionLostError",
    "ConstraintError",
    "DatabaseUnreachableError",
    "DriverError",
    "DuplicateKeyError",
    "ForeignKeyError",
    "OutOfRangeError",
    "QueryError",
    "TransactionConflictError",
    "UrlError",
]


class UrlError(DataFlowError, ValueError):
    """A database URL that cannot be understood.

    Attributes:
        url: The URL with its password masked.
        problem: What is wrong and what would be right.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url = url
        self.problem = problem

    def __str__(self) -> str:
        return f"database URL {self.url!r}: {self.problem}"


class DriverError(DataFlowError):
    """The database could not do what was asked; the client's error is the cause.

    Attributes:
        message: What the database said, without values of rows.
        code: SQLSTATE, or the SQLite error name; empty when there is none.
        retryable: Whether the same work may succeed when sent again.
    """

    retryable = False

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]" if self.code else self.message


class DatabaseUnreachableError(DriverError):
    """No connection could be made: check address, network and server."""

    retryable = True


class AuthenticationError(DriverError):
    """The server refused user, password or database name."""


class ConnectionLostError(DriverError):
    """The connection ended in the middle; whether the work was done is unknown."""

    retryable = True


class TransactionConflictError(DriverError):
    """Deadlock, serialization failure or lock timeout: nothing was done."""

    retryable = True


class QueryError(DriverError):
    """The database refused the statement: syntax, unknown table or column."""


class OutOfRangeError(DriverError):
    """A computed value is more than what holds it, or not exact; nothing was stored.

    Attributes:
        fields: Fields that were computed, empty when the database does not say.
    """

    def __init__(
        self, message: str, code: str = "", fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, code)
        self.args = (message, code, fields)
        self.fields = fields

    def __str__(self) -> str:
        if not self.fields:
            return super().__str__()
        return (
            f"the new value of {' or '.join(self.fields)} would be out of range or not "
            "exact in some row; nothing was changed: compute by less, or narrow the "
            "filter"
        )


class ConstraintError(DriverError):
    """A row breaks a rule of its table; nothing was stored.

    Attributes:
        kind: ``unique``, ``not_null``, ``check``, ``foreign_key``, ``exclusion``,
            ``length`` of a text, or ``trigger`` where one kept the row out without an
            error.
        table: Name of the table, empty when the database does not say.
        fields: Columns concerned, empty when the database does not say.
    """

    def __init__(
        self, kind: str, table: str, fields: tuple[str, ...], code: str = ""
    ) -> None:
        super().__init__(kind, code)
        self.args = (kind, table, fields, code)
        self.kind = kind
        self.table = table
        self.fields = fields

    def __str__(self) -> str:
        place = f"{self.table}({', '.join(self.fields)})" if self.table else "its table"
        return f"a row breaks the {self.kind} rule of {place}; nothing was stored"


class DuplicateKeyError(ConstraintError):
    """A row with the same key exists already; nothing was stored.

    Attributes:
        constraint: Name of the constraint or index, empty when the database does not
            say.
    """

    def __init__(
        self,
        table: str,
        fields: tuple[str, ...],
        code: str = "",
        constraint: str = "",
    ) -> None:
        super().__init__("unique", table, fields, code)
        self.args = (table, fields, code, constraint)
        self.constraint = constraint

    def __str__(self) -> str:
        return (
            f"{self.table} has a row with the same {', '.join(self.fields) or 'key'}; "
            "nothing was stored: update that row, or upsert"
        )


class ForeignKeyError(ConstraintError):
    """A row refers to none, or others refer to one that was to go; nothing was stored.

    Attributes:
        table: Name of the table with the foreign key.
        fields: Columns of the foreign key, empty when it is not known which.
        constraint: Its name, empty when the database does not say.
        target: Name of the table referred to, empty when it is not known.
        is_referenced: Whether a row of *target* was to be deleted, or its key changed,
            to which rows of *table* refer; False if a row of *table* refers to none;
            None when it is not known.
    """

    def __init__(  # noqa: PLR0917  # as many facts as args hold
        self,
        table: str,
        fields: tuple[str, ...],
        code: str = "",
        constraint: str = "",
        target: str = "",
        is_referenced: bool | None = None,  # noqa: FBT001  # likewise
    ) -> None:
        super().__init__("foreign_key", table, fields, code)
        self.args = (table, fields, code, constraint, target, is_referenced)
        self.constraint = constraint
        self.target = target
        self.is_referenced = is_referenced

    def __str__(self) -> str:
        place = f"{self.table}({', '.join(self.fields)})"
        if self.is_referenced is None:
            return (
                f"{place} refers to a row that is not there, or would no longer be; "
                "nothing was stored: store that row first, or keep it"
            )
        if self.is_referenced:
            return (
                f"{place} still refers to the row of {self.target} that was to go; "
                "nothing was changed: delete or change those rows first, or declare "
                "on_delete"
            )
        return (
            f"{place} refers to a row of {self.target} that is not there; nothing was "
            "stored: store that row first"
        )
