"""PostgreSQL, through asyncpg.

asyncpg's connections under a pool of our own; a lease sends no reset statement, so
what a session sets (`SET`, `LISTEN`, temporary tables) stays with the connection:
set things for a transaction (`SET LOCAL`).

A cancelled statement is cancelled on the server as well; the lease waits, shielded
and bounded, until the server has answered that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar, Final, Literal, Protocol, Self, TypeVar, final
from urllib.parse import urlencode

import anyio
import msgspec

from ..errors import (
    ConnectionLostError,
    DatabaseUnreachableError,
    DriverError,
    TransactionConflictError,
)
from ..sql import POSTGRESQL, Dialect, Result, Statement
from ._bridge import Bridge
from ._pool import Lease, Pool, PoolStatistics, Sharing
from ._refusals import ENDED, STALE_STATEMENT, postgres_errors, postgres_refusal
from ._session import (
    FAILED_TRANSACTION,
    Cursor,
    Decode,
    Row,
    Session,
    Transaction,
)
from ._url import DatabaseUrl

__all__ = ["PostgresDriver"]

T = TypeVar("T")

CONNECT_TIMEOUT_S: Final = 10.0
"""Seconds to wait for a server that does not answer; `connect_timeout` changes it."""

STATEMENTS_CACHED: Final = 512
"""Prepared statements per connection: models times the shapes of their nodes."""

# What the server takes as run-time settings of the session, and what asyncpg reads
# from the query of a URL only.
_SETTINGS: Final = (
    "application_name",
    "lock_timeout",
    "options",
    "search_path",
    "statement_timeout",
)
_SSL_OPTIONS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")

_PAUSE_S: Final = 0.001
"""Seconds that COPY waits after an empty piece."""

_JSONB_VERSION: Final = b"\x01"
"""First byte of a jsonb value. Source: PostgreSQL, `jsonb_recv`, version 1."""


class _Portal(Protocol):
    """As much of `asyncpg.cursor.Cursor` as is used; there is no public close."""

    async def fetch(self, n: int) -> list[Any]: ...

    async def _close_portal(self, timeout: None) -> None: ...  # noqa: ASYNC109


class _Client(Protocol):
    """As much of `asyncpg.Connection` as is used; it has no types of its own."""

    async def fetchmany(self, query: str, args: Iterable[Any]) -> list[Any]: ...

    async def execute(self, query: str) -> str: ...

    def cursor(self, query: str, *args: object) -> Awaitable[_Portal]: ...

    async def set_type_codec(self, typename: str, **how: object) -> None: ...

    async def close(self) -> None: ...

    def terminate(self) -> None: ...

    def is_closed(self) -> bool: ...

    def is_in_transaction(self) -> bool: ...

    def add_termination_listener(self, callback: Callable[[Any], None]) -> None: ...

    def remove_termination_listener(self, callback: Callable[[Any], None]) -> None: ...

    # Private, since nothing public does it: rows and status in one; without the
    # simple protocol, which would run several statements in one text; a statement out
    # of the cache; and COPY by its text. asyncpg 0.30 to 0.32 have them alike.
    _protocol: Any

    async def _do_execute(
        self,
        query: str,
        executor: Callable[[Any, None], Awaitable[Any]],
        timeout: None,  # noqa: ASYNC109  # not ours
    ) -> tuple[tuple[Any, bytes, bool], Any]: ...

    def _prepare(self, query: str, *, use_cache: bool) -> Awaitable[Any]: ...

    def _copy_in(
        self, copy_stmt: str, source: object, timeout: None
    ) -> Coroutine[Any, Any, str]: ...


@final
class PostgresDriver:
    """A pool of connections to one PostgreSQL database.

    Args:
        url: Where it is.
        bridge: Runs asyncpg.
        pool_size: Connections there may be at most.
        echo: Whether to report each statement.
        sharing: How tasks that wait for a connection take turns.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset({"asyncio"})
    dialect: Dialect = POSTGRESQL

    def __init__(
        self,
        url: DatabaseUrl,
        bridge: Bridge,
        *,
        pool_size: int,
        echo: bool,
        sharing: Sharing | None = None,
    ) -> None:
        self.url = url
        self._bridge = bridge
        self._echo = echo
        self._pool = Pool(f"the pool of {url.safe}", pool_size, self._connect, sharing)

    def acquire(self, *, write: bool = True) -> Lease[PostgresConnection]:
        """Lease a connection; *write* makes no difference here."""
        del write
        return self._pool.lease()

    def capacity(self, *, write: bool = True) -> int:
        """Return the size of the pool; *write* makes no difference here."""
        del write
        return self._pool.size

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return self._pool.statistics()

    async def aclose(self) -> None:
        """Close every connection, within `GRACE_S`; see `Pool.aclose`."""
        await self._pool.aclose()

    async def _connect(self) -> PostgresConnection:
        try:
            client = await self._bridge.call(_connect, self.url)
        except TimeoutError as error:
            raise _unreachable(self.url, "no answer in time") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise _unreachable(self.url, reason) from error
        except postgres_errors() as error:
            refusal = postgres_refusal(error)
            if isinstance(refusal, DatabaseUnreachableError | ConnectionLostError):
                refusal = _unreachable(self.url, refusal.message, refusal.code)
            raise refusal from error
        return PostgresConnection(client, self._bridge, echo=self._echo)


def _unreachable(
    url: DatabaseUrl, reason: str, code: str = ""
) -> DatabaseUnreachableError:
    place = url.host or "the default host"
    if url.port is not None:
        place = f"{place}:{url.port}"
    name = url.database or "the default"
    message = f"cannot reach PostgreSQL at {place}, database {name}: {reason}"
    return DatabaseUnreachableError(message, code)


async def _connect(url: DatabaseUrl) -> _Client:
    """Make a connection, with the codecs of JSON; keeps nothing if cancelled."""
    asyncpg: Any = import_module("asyncpg")  # it has no types
    options = url.options
    settings = {name: options[name] for name in _SETTINGS if name in options}
    ssl = {name: options[name] for name in _SSL_OPTIONS if name in options}
    client: _Client = await asyncpg.connect(
        # Never the password: asyncpg's own messages may quote this text.
        f"postgresql://?{urlencode(ssl)}" if ssl else None,
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password,
        database=url.database or None,
        timeout=float(options.get("connect_timeout", CONNECT_TIMEOUT_S)),
        statement_cache_size=STATEMENTS_CACHED,
        max_cached_statement_lifetime=0,
        target_session_attrs=options.get("target_session_attrs"),
        server_settings={"application_name": "dataflow", "timezone": "UTC"} | settings,
    )
    how = {"schema": "pg_catalog", "format": "binary"}
    try:
        for name, encode, decode in (
            ("json", _encode_json, msgspec.json.decode),
            ("jsonb", _encode_jsonb, _decode_jsonb),
        ):
            await client.set_type_codec(name, encoder=encode, decoder=decode, **how)
    except BaseException:
        client.terminate()
        raise
    return client


async def _call(
    bridge: Bridge, function: Callable[..., Awaitable[T]], *args: object
) -> T:
    """Run a function of asyncpg, its errors translated."""
    try:
        return await bridge.call(function, *args)
    except postgres_errors() as error:
        raise postgres_refusal(error) from error


def _encode_json(value: object) -> bytes:
    """Encode *value*; text and bytes are taken as ready JSON."""
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else msgspec.json.encode(value)


def _encode_jsonb(value: object) -> bytes:
    return _JSONB_VERSION + _encode_json(value)


def _decode_jsonb(value: bytes) -> object:
    return msgspec.json.decode(value[1:])


@final
class PostgresConnection(Session):
    """One connection; what it does is described in `Session`."""

    def __init__(self, client: _Client, bridge: Bridge, *, echo: bool) -> None:
        super().__init__(bridge, echo=echo)
        self._client = client

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, on either side."""
        return self._client.is_closed()

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open, neither ours nor one in raw SQL."""
        client = self._client
        return not (self._depth or client.is_closed() or client.is_in_transaction())

    @property
    def _is_in_transaction(self) -> bool:
        return not self._client.is_closed() and self._client.is_in_transaction()

    async def aclose(self) -> None:
        """Say goodbye; whatever goes wrong then is of no interest."""
        with suppress(DriverError):
            await _call(self._bridge, self._client.close)

    def terminate(self) -> None:
        """Cut the connection; the server notices when it next reads or writes."""
        self._client.terminate()

    # -- statements -------------------------------------------------------------

    async def _run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        if not statements:
            return []
        first = statements[0]
        if len(statements) > 1 or first.many or first.opening is not None:
            return await self._run_in_transaction(statements)
        try:
            # Not by `_run_joined`: each coroutine in between is resumed with this one.
            return [await self._bridge.call(self._run_one, first)]
        except anyio.get_cancelled_exc_class():
            # The server has answered the cancel request once it answers this.
            await self._tidy(self._command, "SELECT 1")
            raise
        except postgres_errors() as error:
            raise self._refusal(error) from error

    async def _run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        outcomes: list[list[Result] | DriverError] = []
        for statements in groups:
            try:
                outcomes.append(await self._run_alone(statements))
            except ConnectionLostError:
                raise
            except DriverError as error:
                outcomes.append(error)
        return outcomes

    async def _run_in_transaction(
        self, statements: Sequence[Statement], *, retry: bool = True
    ) -> list[Result]:
        try:
            async with Transaction(self, opening=statements[0].opening):
                return await self._run_joined(statements)
        except TransactionConflictError as error:
            if error.code != STALE_STATEMENT or not retry:
                raise
        # As asyncpg does by itself for a statement outside a transaction.
        return await self._run_in_transaction(statements, retry=False)

    async def _run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        try:
            if len(statements) == 1:
                return [await self._bridge.call(self._run_one, statements[0])]
            return await self._bridge.call(self._run_each, statements)
        except postgres_errors() as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> DriverError:
        """Return what an error of asyncpg says; a lost connection is cut."""
        refusal = postgres_refusal(error)
        if isinstance(refusal, ConnectionLostError):
            self.terminate()  # the client does not always know it yet
        return refusal

    async def _run_each(self, statements: Sequence[Statement]) -> list[Result]:
        return [await self._run_one(statement) for statement in statements]

    async def _run_one(self, statement: Statement) -> Result:
        """Run one statement, on the asyncio side."""
        if self._echo:
            return await self._run_echoed(statement)
        if statement.many:
            return await self._run_many(statement)
        text, client = statement.text, self._client
        if client.is_closed():  # which only asyncpg's public methods look at
            raise ConnectionLostError(ENDED)
        if statement.packed is not None:
            return await self._copy(text, statement.packed)
        # What `_execute` does, without two of its five coroutines: 2 of 48 us. This one
        # prepares, and prepares again when the table was changed.
        bind_execute = client._protocol.bind_execute  # noqa: SLF001  # see `_Client`
        values, with_status = statement.parameters, True
        (rows, status, _), _ = await client._do_execute(  # noqa: SLF001
            text,
            lambda state, _: bind_execute(state, values, "", 0, with_status, None),
            None,
        )
        if statement.is_brief:
            return Result(rows, len(rows))
        if statement.decode is not None:
            return Result(statement.decode(rows), len(rows))
        return await self._result(statement, rows, status)

    async def _result(
        self, statement: Statement, rows: Sequence[Any], status: bytes
    ) -> Result:
        """Return what *statement* gave, in the form that it asks for."""
        if not statement.returns_rows:
            return Result((), _count(status))
        columns = await self._name(rows, statement.text)
        return Result(rows, len(rows) or _count(status), columns)

    async def _run_many(self, statement: Statement) -> Result:
        text, parameters = statement.text, statement.parameters
        is_change = text.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")
        if not (is_change or statement.returns_rows):
            singles = [Statement(text, each) for each in parameters]
            return Result(
                (), sum([(await self._run_one(one)).count for one in singles])
            )
        # `executemany` does not tell how many rows changed; one tiny row for each
        # of them costs about 10 %, a status for each a round trip.
        is_silent = is_change and "RETURNING" not in text.upper()
        asked = f"{text.rstrip().removesuffix(';')}\nRETURNING 1" if is_silent else text
        rows = await self._client.fetchmany(asked, parameters)
        if is_silent or not statement.returns_rows:
            return Result((), len(rows))
        return Result(rows, len(rows), await self._name(rows, text))

    async def _copy(self, text: str, packed: bytes | Iterator[bytes]) -> Result:
        """Send rows to ``COPY … FROM STDIN``, on the asyncio side.

        asyncpg waits for room to write, between two pieces, with nothing that a lost
        connection would end: so that is told by a listener, which ends the sending.
        In one buffer there is no such wait.
        """
        client = self._client
        if isinstance(packed, bytes):
            # A memoryview, since asyncpg takes bytes for the name of a file.
            source: object = memoryview(packed)
            return _copied(await client._copy_in(text, source, None))  # noqa: SLF001
        copying = client._copy_in(text, _Pieces(packed), None)  # noqa: SLF001
        sending = asyncio.create_task(copying)

        def end(_: object) -> None:
            sending.cancel()

        client.add_termination_listener(end)
        try:
            await asyncio.wait([sending])
            if sending.cancelled():
                raise ConnectionLostError(ENDED)
            return _copied(sending.result())
        finally:
            client.remove_termination_listener(end)
            await _stop(sending)

    async def _run_echoed(self, statement: Statement) -> Result:
        self._echo, start = False, time.perf_counter()
        try:
            result = await self._run_one(statement)
        finally:
            self._echo = True
        self._report(statement, time.perf_counter() - start, result.count)
        return result

    async def _name(self, rows: Sequence[Any], text: str) -> tuple[str, ...]:
        """Name the columns of *rows*; without any, those of the cached statement."""
        if rows:
            return tuple(rows[0].keys())
        prepared = await self._client._prepare(  # noqa: SLF001  # see `_Client`
            text, use_cache=True
        )
        return tuple(attribute.name for attribute in prepared.get_attributes())

    async def _command(self, text: str) -> str:
        return await _call(self._bridge, self._client.execute, text)

    # -- transactions -----------------------------------------------------------

    async def _begin(self, savepoint: str | None, opening: str | None = None) -> None:
        await self._command(
            f"SAVEPOINT {savepoint}" if savepoint else _opened("BEGIN", opening)
        )

    async def _begin_snapshot(self, opening: str | None) -> None:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        await self._command(_opened(begin, opening))

    async def _end_snapshot(self) -> None:
        # Nothing is lost if it is cancelled; a task to finish it would cost 150 us.
        await self._command("COMMIT")

    async def _commit(self, savepoint: str | None) -> None:
        if savepoint:
            await self._command(f"RELEASE {savepoint}")
            return
        finish, execute = self._bridge.finish, self._client.execute
        try:
            status = await finish(self.terminate, execute, "COMMIT")
        except postgres_errors() as error:
            raise postgres_refusal(error) from error
        if status != "COMMIT":
            # A transaction that failed answers COMMIT with ROLLBACK, not an error.
            msg = "the transaction was rolled back: a statement in it had failed"
            raise DriverError(msg, FAILED_TRANSACTION)

    async def _roll_back(
        self, savepoint: str | None, cursors: Sequence[Cursor]
    ) -> None:
        del cursors  # the server releases them
        if savepoint:
            await self._command(f"ROLLBACK TO {savepoint}")
            await self._command(f"RELEASE {savepoint}")
        else:
            await self._command("ROLLBACK")

    # -- streams ----------------------------------------------------------------

    async def _open_cursor(self, statement: Statement) -> Cursor:
        text, parameters = statement.text, statement.parameters
        portal = await _call(self._bridge, self._client.cursor, text, *parameters)
        return _PostgresCursor(portal, self._bridge, statement.decode)


@final
class _PostgresCursor:
    """A portal on the server."""

    def __init__(
        self, portal: _Portal, bridge: Bridge, decode: Decode | None = None
    ) -> None:
        self._portal = portal
        self._bridge = bridge
        self._decode = decode

    async def fetch(self, count: int) -> Sequence[Row]:
        rows = await _call(self._bridge, self._portal.fetch, count)
        return rows if self._decode is None else self._decode(rows)

    async def aclose(self) -> None:
        """Close the portal, which would live until the end of the transaction."""
        await _call(self._bridge, self._portal._close_portal, None)  # noqa: SLF001


@final
class _Pieces:
    """Pieces for COPY, made one by one between other tasks."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        for piece in self._pieces:
            if piece:
                return piece
            await asyncio.sleep(_PAUSE_S)
        raise StopAsyncIteration


async def _stop(sending: asyncio.Task[str]) -> None:
    """End a COPY whose caller is cancelled, and see it end."""
    while not sending.done():
        sending.cancel()
        # What cancelled the caller goes on behind this, whatever comes again.
        with suppress(asyncio.CancelledError):
            await asyncio.wait([sending])
    if not sending.cancelled():
        sending.exception()  # looked at, lest asyncio reports it


def _opened(begin: str, opening: str | None) -> str:
    """Return what begins a transaction, in one round trip with what opens it."""
    return begin if opening is None else f"{begin};{opening}"


def _copied(status: str) -> Result:
    return Result((), _count(status.encode()))


def _count(status: bytes | None) -> int:
    """Read the number of rows off a command tag such as ``INSERT 0 3``."""
    if status is None:
        return 0  # of a statement that holds nothing but a comment
    number = status.rpartition(b" ")[2]
    return int(number) if number.isdigit() else 0
