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
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, final

import anyio

from ..errors import ClosedError, DriverError
from ..sql import Result, Statement
from ..telemetry import get_log
from ._bridge import GRACE_S, Bridge

__all__ = ["Cursor", "Decode", "Row", "RowStream", "Session", "Transaction"]

Row: TypeAlias = Sequence[Any]
"""One row, in column order: a tuple, or a client's record."""

Decode: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]
"""Makes of some rows, in order, as many of what is wanted instead."""

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
        self._is_snapshot = False
        self._streams: dict[RowStream, Cursor] = {}
        self._own_stream: RowStream | None = None

    # -- for the user of a lease; `Connection` says what it promises ---------------

    def run(self, statements: Sequence[Statement]) -> Coroutine[Any, Any, list[Result]]:
        """Run *statements* in order, all or nothing, and return a result for each."""
        if self._own_stream is None and not self._depth:
            # Nothing stands around it: one coroutine less to resume.
            return self._run_alone(statements)
        return self._run_in_order(statements)

    async def _run_in_order(self, statements: Sequence[Statement]) -> list[Result]:
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

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, whatever the others do."""
        if self._own_stream is not None:
            await self._own_stream.supersede()
        if self._depth:
            msg = "run_apart is for outside of transactions: use nested ones here"
            raise RuntimeError(msg)
        return await self._run_apart(groups)

    def transaction(self) -> Transaction:
        """Return a block that commits at its end; one inside it is a savepoint."""
        return Transaction(self)

    def snapshot(self, *, opening: str | None = None) -> Transaction:
        """Return a block that only reads, and sees the database as it was at its begin."""
        return Transaction(self, is_snapshot=True, opening=opening)

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows, which keeps one batch in memory."""
        if batch < 1:
            msg = f"a batch holds at least one row, not {batch}"
            raise ValueError(msg)
        return RowStream(self, statement, batch, is_snapshot=snapshot)

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
        """Say goodbye to the server, or after `terminate` wait for the end."""

    @abstractmethod
    def terminate(self) -> None:
        """Cut the connection at once."""

    async def clean(self) -> None:
        """End the transaction that the lease left behind, if any."""
        self._depth = 0
        self._failed = False
        await self._roll_back_or_cut()

    # -- for a kind of database -------------------------------------------------

    @abstractmethod
    async def _run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        """Run outside a transaction, all or nothing."""

    @abstractmethod
    async def _run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        """Run inside the open transaction."""

    @abstractmethod
    async def _run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups outside a transaction, each all or nothing."""

    @abstractmethod
    async def _begin(self, savepoint: str | None, opening: str | None = None) -> None:
        """Begin a transaction, with what `Statement` calls *opening*; or a savepoint."""

    async def _begin_snapshot(self, opening: str | None) -> None:
        """Begin a transaction that only reads, all of it as of one moment."""
        await self._begin(None, opening)

    async def _end_snapshot(self) -> None:
        """End a transaction that has only read."""
        await self._commit(None)

    @abstractmethod
    async def _commit(self, savepoint: str | None) -> None:
        """Commit, or release *savepoint*; no open transaction outlives a commit."""

    @abstractmethod
    async def _roll_back(
        self, savepoint: str | None, cursors: Sequence[Cursor]
    ) -> None:
        """Roll back, to *savepoint* if given; nothing to do is no error.

        *cursors* are queries that the rollback ends.
        """

    @abstractmethod
    async def _open_cursor(self, statement: Statement) -> Cursor:
        """Start a query inside the open transaction."""

    # -- transactions -----------------------------------------------------------

    async def begin(
        self, *, is_snapshot: bool = False, opening: str | None = None
    ) -> None:
        """Open a level; `Transaction` calls it."""
        if self._own_stream is not None:
            await self._own_stream.supersede()
        if is_snapshot and self._depth:
            msg = "snapshot is for outside of transactions: they see what they see"
            raise RuntimeError(msg)
        await self._open_level(is_snapshot=is_snapshot, opening=opening)

    async def commit(self) -> None:
        """Close the innermost level well; `Transaction` calls it."""
        await self._close_streams()
        if self._failed:
            await self.roll_back()
            msg = "the transaction was rolled back: a statement in it had failed"
            raise DriverError(msg, FAILED_TRANSACTION)
        self._depth -= 1
        if self._is_snapshot and not self._depth:
            await self._leave_snapshot()
            return
        try:
            await self._commit(self._savepoint())
        except BaseException:
            self._failed = self._depth > 0
            raise

    async def _leave_snapshot(self) -> None:
        try:
            await self._end_snapshot()
        except BaseException:
            await self._roll_back_or_cut()
            raise

    async def roll_back(self) -> None:
        """Undo the innermost level; `Transaction` calls it."""
        self._depth -= 1
        await self._roll_back_or_cut()
        # SQLite rolls back everything on some errors, savepoint or not.
        self._failed = self._depth > 0 and not self._is_in_transaction

    async def _open_level(
        self, *, is_snapshot: bool = False, opening: str | None = None
    ) -> None:
        if self._depth:
            self._check_usable()
        try:
            if is_snapshot:
                await self._begin_snapshot(opening)
            else:
                await self._begin(self._savepoint(), opening)
        except BaseException:
            self._failed = self._depth > 0
            if not self._depth:
                await self._roll_back_or_cut()
            raise
        if not self._depth:
            self._is_snapshot = is_snapshot
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

    async def _roll_back_or_cut(self) -> None:
        """Roll back what is above the current depth, with the streams there."""
        ended = [stream for stream in self._streams if stream.depth > self._depth]
        for stream in ended:
            stream.forget()
        cursors = [self._streams.pop(stream) for stream in ended]
        if self._own_stream in ended:
            self._own_stream = None
        if not self.is_closed:
            await self._tidy(self._roll_back, self._savepoint(), cursors)

    async def _tidy(
        self, function: Callable[..., Awaitable[object]], *args: object
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
        is_own = not self._depth
        if is_own:
            await self._open_level(
                is_snapshot=stream.is_snapshot, opening=statement.opening
            )
        self._check_usable()
        try:
            cursor = await self._open_cursor(statement)
        except BaseException:
            await self._fail(is_own=is_own)
            raise
        stream.depth = self._depth
        self._streams[stream] = cursor
        self._own_stream = stream if is_own else None
        return cursor

    async def break_stream(self, stream: RowStream) -> None:
        """Undo what a stream did that failed, or see that the transaction does."""
        await self._fail(is_own=stream is self._own_stream)

    async def end_stream(self, stream: RowStream, *, keep: bool) -> None:
        """Release the query of *stream*, or end the transaction that is its own."""
        if stream is not self._own_stream:
            await self._tidy(self._streams.pop(stream).aclose)
        elif keep:
            del self._streams[stream]
            self._own_stream = None
            await self.commit()
        else:
            await self.roll_back()

    async def _fail(self, *, is_own: bool) -> None:
        if is_own:
            await self.roll_back()
        else:
            self._failed = True

    async def _close_streams(self) -> None:
        for stream in [each for each in self._streams if each.depth >= self._depth]:
            await stream.supersede()

    def _report(self, statement: Statement, seconds: float, rows: int) -> None:
        log.info("statement_run", text=statement.text, duration_s=seconds, rows=rows)


@final
class Transaction:
    """The block of a transaction, or of a savepoint inside one."""

    __slots__ = ("_is_snapshot", "_opening", "_session")

    def __init__(
        self,
        session: Session,
        *,
        is_snapshot: bool = False,
        opening: str | None = None,
    ) -> None:
        self._session = session
        self._is_snapshot = is_snapshot
        self._opening = opening

    async def __aenter__(self) -> None:
        await self._session.begin(is_snapshot=self._is_snapshot, opening=self._opening)

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

    def __init__(
        self,
        session: Session,
        statement: Statement,
        batch: int,
        *,
        is_snapshot: bool = False,
    ) -> None:
        self.depth = 0
        self.is_snapshot = is_snapshot
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
        if self._cursor is None:
            self._cursor = await self._session.open_stream(self, self._statement)
        try:
            rows = await self._cursor.fetch(self._batch)
        except BaseException:
            self._is_over = True
            await self._session.break_stream(self)
            raise
        if len(rows) < self._batch:
            self._is_over = True
            await self._session.end_stream(self, keep=True)
        if not rows:
            raise StopAsyncIteration
        return rows

    async def aclose(self) -> None:
        """Release the query; outside a transaction, undo what it wrote."""
        if not self._is_over:
            self._is_over = True
            if self._cursor is not None:
                await self._session.end_stream(self, keep=False)

    async def supersede(self) -> None:
        """Close it because the connection is wanted for something else."""
        self._is_superseded = True
        await self.aclose()

    def forget(self) -> None:
        """Note that a rollback ends it."""
        self._is_over = self._is_superseded = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
