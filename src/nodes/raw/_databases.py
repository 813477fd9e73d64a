"""Which database raw SQL means: one of an open DataFlow, or another.

No way around protection: whoever names the place of an open DataFlow's database gets
its interceptors, also with another user, another spelling, or other options. Which
DataFlow is open is looked up with every turn, for a workflow may be older than it.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Final, final

from ...actors import Handler, Interceptor, Turn, compose
from ...drivers import DatabaseUrl, parse_url
from ...sql import SQLITE
from .._database import Database
from ._sql_node import SqlNode

__all__ = ["Databases", "databases"]

_POOL_SIZE: Final = 5
"""Connections to a database that no DataFlow has opened."""

_LOCAL: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
_PORT: Final = 5432


@final
class Databases:
    """The databases that raw SQL may name: those of open DataFlows, and others.

    Attributes:
        anywhere: The node for a builder that belongs to no database.
    """

    def __init__(self) -> None:
        self.anywhere = SqlNode(None, self.node)
        self._lock = Lock()
        self._nodes: dict[Database, SqlNode] = {}
        self._others: dict[DatabaseUrl, SqlNode] = {}

    def add(self, database: Database) -> SqlNode:
        """Make the database of a DataFlow known; its interceptors hold from now on."""
        with self._lock:
            return self._nodes.setdefault(database, SqlNode(database, self.node))

    def remove(self, database: Database) -> None:
        """Forget a database that was closed."""
        with self._lock:
            self._nodes.pop(database, None)

    def node(self, text: str, preferred: Database | None) -> SqlNode:
        """Return the node for the database that a URL names.

        Args:
            text: The URL.
            preferred: Which database to take if several have this URL.

        Raises:
            UrlError: It cannot be understood.
        """
        url = parse_url(text)
        with self._lock:
            known = [*reversed(self._nodes)]
            if preferred in self._nodes:
                known.insert(0, preferred)
            for database in known:
                if database.url == url:
                    return self._nodes[database]
            return self._other(url)

    def interceptors(self, url: DatabaseUrl) -> tuple[Interceptor, ...]:
        """Return those of the DataFlow that is open where a URL leads, if one is."""
        place = _place(url)
        with self._lock:
            for database in reversed(self._nodes):
                if database.url == url or _place(database.url) == place:
                    return database.interceptors
                if database.apart is not None and database.apart.leads_to(url):
                    return (*database.interceptors, database.apart.outside)
        return ()

    def _other(self, url: DatabaseUrl) -> SqlNode:
        node = self._others.get(url)
        if node is None:
            layer = _Current(self, url)
            database = Database(url, pool_size=_POOL_SIZE, interceptors=(layer,))
            node = self._others[url] = SqlNode(database, self.node)
        return node


@final
class _Current:
    """The interceptors of whichever DataFlow is open at a place now."""

    def __init__(self, known: Databases, url: DatabaseUrl) -> None:
        self._known = known
        self._url = url

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        """Handle a turn by way of these."""
        await compose(self._known.interceptors(self._url), call_next)(turn)


def _place(url: DatabaseUrl) -> tuple[object, ...]:
    """Return what is the same for all URLs of one database, as far as they tell."""
    if url.dialect is SQLITE:
        path = url.database
        return ("sqlite", path if url.is_memory else os.path.realpath(path))
    host = (url.host or "").casefold()
    return (
        "postgresql",
        "" if host in _LOCAL else host,
        url.port or _PORT,
        url.database or url.user,
    )


databases: Final = Databases()
"""The ones of this process."""
