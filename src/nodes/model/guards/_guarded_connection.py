"""A connection on which a message keeps to its terms.

Rules of this file:

1. It runs statements of a `GuardedTable` and refuses all others.
2. Looks, statement and review are one transaction: a review that raises undoes it.
3. Where somebody else came in between, all of it is done again, a few times.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast, final

from ....drivers import Connection, Driver, LentConnection, LentDriver, RowStream
from ....errors import DriverError, TransactionConflictError, UnguardedStatementError
from ....models import Relation
from ....sql import (
    Guarded,
    RacedError,
    RelatedRows,
    Result,
    Statement,
    Terms,
    select_related,
)

__all__ = ["GuardedConnection", "GuardedDriver", "beside"]

_ATTEMPTS: Final = 5
"""Others may store a row between a look and a write again and again."""


@final
class GuardedConnection(LentConnection):
    """Runs statements that keep to terms.

    Args:
        connection: Where.
        terms: Those of the message, for rows of other models.
    """

    def __init__(self, connection: Connection, terms: Terms) -> None:
        super().__init__(connection)
        self._terms = terms

    def related(
        self, relation: Relation, rows: RelatedRows, columns: Sequence[Sequence[Any]]
    ) -> Statement:
        """Return the statement for related rows, as far as they may be seen.

        Raises:
            BlockedError: They may not.
        """
        others = self._terms.others
        terms = Terms() if others is None else others(relation.target)
        return select_related(rows, columns, terms)

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* with what is around them, all or nothing.

        Raises:
            UnguardedStatementError: One was made by nothing that knows terms.
            TransactionConflictError: Others kept storing the same rows.
            DataFlowError: The terms do not allow it; nothing was done.
        """
        guarded = _guarded(statements)
        if all(each.is_plain for each in guarded):
            return await self._connection.run(guarded)
        for _ in range(_ATTEMPTS):
            try:
                async with self._connection.transaction():
                    return [await self._run_one(each) for each in guarded]
            except RacedError:
                continue
        msg = "other writers kept storing the same rows: try again"
        raise TransactionConflictError(msg)

    async def _run_one(self, statement: Guarded) -> Result:
        probes = statement.probes
        if probes:
            results = await self._connection.run([each.statement for each in probes])
            for probe, result in zip(probes, results, strict=True):
                probe.review(result)
        (result,) = await self._connection.run((statement,))
        return result if statement.review is None else statement.review(result)

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements with nothing around them, each all or nothing."""
        plain = [_guarded(statements) for statements in groups]
        if not all(each.is_plain for group in plain for each in group):
            raise UnguardedStatementError
        return await self._connection.run_apart(plain)

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows; only of a statement without looks.

        Raises:
            UnguardedStatementError: It is another one.
        """
        (guarded,) = _guarded((statement,))
        if not guarded.is_plain:
            raise UnguardedStatementError
        return self._connection.stream(guarded, batch=batch, snapshot=snapshot)


def beside(connection: Connection) -> Connection:
    """Return a connection for what is no model's, such as keys of persons."""
    if isinstance(connection, GuardedConnection):
        return connection._connection  # noqa: SLF001  # of this module
    return connection


def _guarded(statements: Sequence[Statement]) -> list[Guarded]:
    if not all(isinstance(each, Guarded) for each in statements):
        raise UnguardedStatementError
    return [cast("Guarded", each) for each in statements]


@final
class GuardedDriver(LentDriver):
    """A driver whose connections keep to terms; for whoever takes its own.

    Args:
        driver: The driver.
        terms: Those of the message.
    """

    def __init__(self, driver: Driver, terms: Terms) -> None:
        super().__init__(driver)
        self._terms = terms

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Lease a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield GuardedConnection(connection, self._terms)
