"""Drivers: the seam to the databases, and the only room that names their clients."""

from __future__ import annotations

from ._bridge import GRACE_S, Bridge, open_bridge
from ._driver import Connection, Driver, connect
from ._lent import LentConnection, LentDriver
from ._pool import PoolStatistics, Sharing
from ._session import Row, RowStream
from ._share import PoolShare
from ._url import DatabaseUrl, parse_url
from ._workplace import Inside, Workplace

__all__ = [
    "GRACE_S",
    "Bridge",
    "Connection",
    "DatabaseUrl",
    "Driver",
    "Inside",
    "LentConnection",
    "LentDriver",
    "PoolShare",
    "PoolStatistics",
    "Row",
    "RowStream",
    "Sharing",
    "Workplace",
    "connect",
    "open_bridge",
    "parse_url",
]
