"""A connection of asyncpg, as much of it as is used, with codecs for JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from importlib import import_module
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from .._bridge import Bridge
from .._refusals import postgres_errors, postgres_refusal
from .._url import DatabaseUrl

__all__ = ["Client", "Portal", "call", "connect"]

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

_JSONB_VERSION: Final = b"\x01"
"""First byte of a jsonb value. Source: PostgreSQL, `jsonb_recv`, version 1."""


class Portal(Protocol):
    """As much of `asyncpg.cursor.Cursor` as is used; there is no public close."""

    async def fetch(self, n: int) -> list[Any]: ...

    async def _close_portal(self, timeout: None) -> None: ...  # noqa: ASYNC109


class Client(Protocol):
    """As much of `asyncpg.Connection` as is used; it has no types of its own."""

    async def fetchmany(self, query: str, args: Iterable[Any]) -> list[Any]: ...

    async def execute(self, query: str) -> str: ...

    def cursor(self, query: str, *args: object) -> Awaitable[Portal]: ...

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


async def connect(url: DatabaseUrl) -> Client:
    """Make a connection, with the codecs of JSON; keeps nothing if cancelled."""
    asyncpg: Any = import_module("asyncpg")  # it has no types
    options = url.options
    settings = {name: options[name] for name in _SETTINGS if name in options}
    ssl = {name: options[name] for name in _SSL_OPTIONS if name in options}
    client: Client = await asyncpg.connect(
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


async def call(
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
