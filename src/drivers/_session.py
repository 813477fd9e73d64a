"""A leased connection: what runs on it, within which transaction.

Rules of this file, the same on every database:

1. The outermost transaction is ``BEGIN``; one inside it is a savepoint.
2. After an error inside a transaction, that level is *failed*: it refuses further
   statements and ends in a rollback. (PostgreSQL insists on it; SQLite would go on
   with half the work.) A savepoint confines the failure.
3. What a cancellation or an error leaves is ended shielded, for at most `GRACE_S`;
   if that is not enough the connection is cut, and the database ends it.
4. A stream outside a transaction opens one of its own: committed when it was read
   to the end, rolled back when it was closed before. Whatever else is asked of the
   connection meanwhile closes the stream first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, final

import anyio

from ..errors import ClosedError, DriverError
from ..sql import Result, Statement
from ..telemetry import get_log
from ._bridge import GRACE_S, Bridge

__all__ = ["Cursor", "Row", "RowStream", "Session", "Transaction"]

Row: TypeAlias = Sequence[Any]
"""One row, in column order: a tuple, or a client's record."""

FAILED_TRANSACTION = "25P02"
"""Source: PostgreSQL, Appendix A, `in_failed_sql_transaction`."""

log = get_log("dataflow.drivers")


class Cursor(Protocol):
    """An open query on the database."""

    async def fetch(self, count: int) -> Sequence[Row]:
        """Return the next *count* rows, fewer at the end."""
        ...

    async def aclose(self) -> None:
        """Release it."""
        ...


class Session(ABC):
    """What both kinds of connection have in common; used by one task at a time.

    Args:
        bridge: Runs the client's functions.
        echo: Whether to report each statement.
    """

    def __init__(self, bridge: Bridge, *, echo: bool) -> None:
        self._bridge = bridge
        self._echo = echo
        self._depth = 0
        self._failed = False
        self._streams: list[RowStream] = []
        self._own_stream: RowStream | None = None

    # -- for the user of a lease ------------------------------------------------

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing, and return a result for each.

        Inside a transaction they join it. If cancelled, the statement is stopped
        and nothing of a transaction is kept; of a single statement outside a
        transaction it is unknown whether it was done.

        Raises:
            DriverError: The database refused; its subclass says why.
        """
        if self._own_stream is not None:
            await self._own_stream.supersede()
        if not self._depth:
            return await self._run_alone(statements)
        self._check_usable()
        try:
            return await self._run_joined(statements)
        except BaseException:
            self._failed = True
            raise

    def transaction(self) -> Transaction:
        """Return a block to enter with ``async with``: commit at its end.

        An exception, or a cancellation before the commit began, rolls back. If
        cancelled in the commit, it goes on for at most `GRACE_S`; after that it is
        unknown whether it was done.
        """
        return Transaction(self)

    def stream(self, statement: Statement, *, batch: int = 1000) -> RowStream:
        """Return an iterator over batches of rows, which keeps one batch in memory.

        If cancelled, or closed before the end, the query is released; outside a
        transaction what it wrote is undone.

        Args:
            statement: What to run; without *many*.
            batch: Rows per step, at least one; the last may be shorter.
        """
        if batch < 1:
            msg = f"a batch holds at least one row, not {batch}"
            raise ValueError(msg)
        return RowStream(self, statement, batch)

    # -- for the pool -----------------------------------------------------------

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the connection is of no use any more."""

    @property
    @abstractmethod
    def is_clean(self) -> bool:
        """Whether nothing is left to end before the next lease."""

    @property
    @abstractmethod
    def _is_in_transaction(self) -> bool:
        """Whether the database has a transaction open."""

    @abstractmethod
    async def aclose(self) -> None:
        """Say goodbye to the server."""

    @abstractmethod
    def terminate(self) -> None:
        """Cut the connection at once."""

    async def clean(self) -> None:
        """End the transaction that the lease left behind, if any."""
        for stream in tuple(self._streams):
            stream.forget()
        self._depth = 0
        self._failed = False
        if not self.is_closed:
            await self._roll_back_or_cut(None)

    # -- for a kind of database -------------------------------------------------

    @abstractmethod
    async def _run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        """Run outside a transaction, all or nothing."""

    @abstractmethod
    async def _run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        """Run inside the open transaction."""

    @abstractmethod
    async def _begin(self, savepoint: str | None) -> None:
        """Begin a transaction, or set *savepoint*."""

    @abstractmethod
    async def _commit(self, savepoint: str | None) -> None:
        """Commit, or release *savepoint*; no open transaction outlives a commit."""

    @abstractmethod
    async def _roll_back(self, savepoint: str | None) -> None:
        """Roll back, to *savepoint* if given; nothing to do is no error."""

    @abstractmethod
    async def _open_cursor(self, statement: Statement) -> Cursor:
        """Start a query inside the open transaction."""

    # -- transactions -----------------------------------------------------------

    async def begin(self) -> None:
        """Open a level; `Transaction` calls it."""
        if self._own_stream is not None:
            await self._own_stream.supersede()
        await self._open_level()

    async def commit(self) -> None:
        """Close the innermost level well; `Transaction` calls it."""
        await self._close_streams()
        if self._failed:
            await self.roll_back()
            msg = "the transaction was rolled back: a statement in it had failed"
            raise DriverError(msg, FAILED_TRANSACTION)
        self._depth -= 1
        try:
            await self._commit(self._savepoint())
        except BaseException:
            self._failed = self._depth > 0
            raise

    async def roll_back(self) -> None:
        """Undo the innermost level; `Transaction` calls it."""
        for stream in self._streams_of_level():
            stream.forget()
        self._depth -= 1
        await self._roll_back_or_cut(self._savepoint())
        # SQLite rolls back everything on some errors, savepoint or not.
        self._failed = self._depth > 0 and not self._is_in_transaction

    async def _open_level(self) -> None:
        if self._depth:
            self._check_usable()
        try:
            await self._begin(self._savepoint())
        except BaseException:
            self._failed = self._depth > 0
            if not self._depth:
                await self._roll_back_or_cut(None)
            raise
        self._depth += 1

    def _savepoint(self) -> str | None:
        """Name the level above the current depth; None is the outermost."""
        return f"dataflow_{self._depth}" if self._depth else None

    def _check_usable(self) -> None:
        if self._failed:
            msg = (
                "an earlier statement of this transaction failed: leave the block, "
                "and put what may fail into a nested transaction"
            )
            raise DriverError(msg, FAILED_TRANSACTION)

    async def _roll_back_or_cut(self, savepoint: str | None) -> None:
        if not self.is_closed:
            await self._tidy(self._roll_back, savepoint)

    async def _tidy(
        self, function: Callable[..., Awaitable[None]], *args: object
    ) -> None:
        """Run *function* shielded and bounded; cut the connection if it fails."""
        done = False
        try:
            with anyio.move_on_after(GRACE_S, shield=True):
                await function(*args)
                done = True
        except DriverError as error:
            # The error that made this necessary is the one to tell the caller.
            log.warning("connection_cut", reason=type(error).__name__)
        finally:
            if not done:
                self.terminate()

    # -- streams ----------------------------------------------------------------

    async def open_stream(self, stream: RowStream, statement: Statement) -> Cursor:
        """Start the query of *stream*; `RowStream` calls it."""
        if self._own_stream is not None:
            await self._own_stream.supersede()
        if self._depth:
            self._check_usable()
        else:
            await self._open_level()
            self._own_stream = stream
        stream.depth = self._depth
        self._streams.append(stream)
        return await self._open_cursor(statement)

    def drop_stream(self, stream: RowStream) -> bool:
        """Forget *stream*; return whether the open transaction was its own."""
        if stream in self._streams:
            self._streams.remove(stream)
        is_own = stream is self._own_stream
        if is_own:
            self._own_stream = None
        return is_own

    async def break_stream(self, stream: RowStream) -> None:
        """Undo what a stream did that failed, or see that the transaction does."""
        if self.drop_stream(stream):
            await self.roll_back()
        else:
            self._failed = self._depth > 0

    async def release(self, cursor: Cursor) -> None:
        """Release a query before its end; `RowStream` calls it."""
        await self._tidy(cursor.aclose)

    async def _close_streams(self) -> None:
        for stream in self._streams_of_level():
            await stream.aclose()

    def _streams_of_level(self) -> list[RowStream]:
        return [stream for stream in self._streams if stream.depth >= self._depth]

    def _report(self, statement: Statement, seconds: float, rows: int) -> None:
        log.info("statement_run", text=statement.text, duration_s=seconds, rows=rows)


@final
class Transaction:
    """The block of a transaction, or of a savepoint inside one."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __aenter__(self) -> None:
        await self._session.begin()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self._session.commit()
        else:
            await self._session.roll_back()


@final
class RowStream:
    """Batches of rows, fetched as they are asked for.

    Close it, with ``async with`` or `aclose`, unless it is read to the end; whatever
    ends its transaction or lease closes it too.
    """

    def __init__(self, session: Session, statement: Statement, batch: int) -> None:
        self.depth = 0
        self._session = session
        self._statement = statement
        self._batch = batch
        self._cursor: Cursor | None = None
        self._is_over = False
        self._is_superseded = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Row]:
        if self._is_superseded:
            name = "the stream"
            raise ClosedError(name)
        if self._is_over:
            raise StopAsyncIteration
        try:
            if self._cursor is None:
                self._cursor = await self._session.open_stream(self, self._statement)
            rows = await self._cursor.fetch(self._batch)
        except BaseException:
            self._is_over = True
            await self._session.break_stream(self)
            raise
        if len(rows) < self._batch:
            await self._end(self._cursor)
        if not rows:
            raise StopAsyncIteration
        return rows

    async def aclose(self) -> None:
        """Release the query; outside a transaction, undo what it wrote."""
        if self._is_over or self._cursor is None:
            self._is_over = True
            return
        self._is_over = True
        await self._session.release(self._cursor)
        if self._session.drop_stream(self):
            await self._session.roll_back()

    async def supersede(self) -> None:
        """Close it because the connection is wanted for something else."""
        self._is_superseded = True
        await self.aclose()

    def forget(self) -> None:
        """Note that its transaction is ended by somebody else."""
        self._is_over = self._is_superseded = True
        self._session.drop_stream(self)

    async def _end(self, cursor: Cursor) -> None:
        self._is_over = True
        if self._session.drop_stream(self):
            await self._session.commit()
        else:
            await self._session.release(cursor)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
