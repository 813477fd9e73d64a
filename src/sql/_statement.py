"""One SQL statement, and what running it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ._touch import Permits

__all__ = ["Result", "Statement"]


class Statement(msgspec.Struct, frozen=True, eq=False):
    """One SQL statement, ready for a driver.

    Attributes:
        text: SQL with ``$1`` (PostgreSQL) or ``?1`` (SQLite) placeholders.
        parameters: One value per placeholder, encoded for the dialect; with
            *many*, one such sequence per execution, in order.
        returns_rows: Whether the rows it yields are wanted, or only the count.
        many: Run once per element of *parameters*.
        is_brief: Touches one row by a unique key, and what hangs on it: a matter of
            microseconds where the pages are in memory. With *many*, each execution does.
        may_be_brief: Yields few values, found by comparisons alone: as brief if an index
            finds the rows, which only the database knows.
        is_read: Changes nothing, so that there is nothing to record of it.
        decode: Makes of some rows, in order, as many of what is wanted instead; not
            with *many*. A driver calls it for all rows, as they come or at once, maybe
            in another thread.
        packed: Rows in PostgreSQL's binary form, for ``COPY … FROM STDIN``; in
            pieces if they are made while the database reads. After an empty piece the
            driver waits a millisecond before it asks for the next one. An error of what
            makes them ends the statement, and is raised.
        permits: Asked by SQLite of all that the statement does, as it is prepared; what
            it returns is raised, and then nothing was done. PostgreSQL asks nobody.
        opening: What PostgreSQL is told with the ``BEGIN`` of the transaction that is
            opened for the statement, first of several or alone; SQL of ours, without
            placeholders. Of no meaning inside a transaction, and on SQLite.
    """

    text: str
    parameters: Sequence[Any] = ()
    returns_rows: bool = False
    many: bool = False
    is_brief: bool = False
    decode: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    packed: bytes | Iterator[bytes] | None = None
    may_be_brief: bool = False
    permits: Permits | None = None
    opening: str | None = None
    is_read: bool = False

    def __repr__(self) -> str:
        # Without the parameters: they are values of rows.
        return f"<Statement {self.text!r}, {len(self.parameters)} parameters>"


class Result(msgspec.Struct, frozen=True, eq=False):
    """What one statement gave.

    Attributes:
        rows: The rows, each a sequence in column order, or what `Statement.decode`
            made of them; empty when not wanted.
            With *many*, those of all executions in order, without gaps for
            executions that yielded none.
        count: Rows returned, or changed when none are returned.
        columns: Names of the columns, in order, when rows are wanted as they are; not
            those of brief statements.
    """

    rows: Sequence[Any]
    count: int
    columns: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Result of {self.count} rows>"
