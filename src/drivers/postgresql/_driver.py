"""PostgreSQL, through asyncpg.

asyncpg's connections under a pool of our own; a lease sends no reset statement, so
what a session sets (`SET`, `LISTEN`, temporary tables) stays with the connection:
set things for a transaction (`SET LOCAL`).

A cancelled statement is cancelled on the server as well; the lease waits, shielded
and bounded, until the server has answered that.
"""

from __future__ import annotations

from typing import ClassVar, Literal, final

from ...errors import ConnectionLostError, DatabaseUnreachableError
from ...sql import POSTGRESQL, Dialect
from .._bridge import Bridge
from .._pool import Lease, Pool, PoolStatistics, Sharing
from .._refusals import postgres_errors, postgres_refusal
from .._url import DatabaseUrl
from ._client import connect
from ._connection import PostgresConnection

__all__ = ["PostgresDriver"]


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
            client = await self._bridge.call(connect, self.url)
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
