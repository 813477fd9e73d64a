"""Which database raw SQL means: one of an open DataFlow, or another.

No way around protection: whoever names the place of an open DataFlow's database gets
its interceptors, also with another user, another spelling, or other options.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Final, final

from ...actors import Interceptor
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
        self._others: dict[tuple[DatabaseUrl, tuple[int, ...]], SqlNode] = {}

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
            place = _place(url)
            near = next((each for each in known if _place(each.url) == place), None)
            return self._other(url, () if near is None else near.interceptors)

    def _other(
        self, url: DatabaseUrl, interceptors: tuple[Interceptor, ...]
    ) -> SqlNode:
        # By identity: an interceptor need not be hashable, and the node keeps it.
        key = url, tuple(map(id, interceptors))
        node = self._others.get(key)
        if node is None:
            database = Database(url, pool_size=_POOL_SIZE, interceptors=interceptors)
            node = self._others[key] = SqlNode(database, self.node)
        return node


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
