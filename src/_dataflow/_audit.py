"""The audit of a database, for who looks after it."""

from __future__ import annotations

from typing import final

from ..audit import Verification, checkpoint, verify
from ..nodes import Database, Engine, Host
from ._hosting import Hosting

__all__ = ["Audit"]


@final
class Audit:
    """What models with ``audit`` have recorded in one database.

    Args:
        database: Where.
        hosting: Finds the engine that asks it.
    """

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._hosting = hosting

    async def verify(self, checkpoint: str | None = None) -> Verification:
        """Look at every leaf and every event; needs a role that may read them.

        Args:
            checkpoint: What `checkpoint` returned once, to be held against it.

        Raises:
            AuditBrokenError: Something was changed, left out, put in or cut off;
                names the first place.
            DriverError: The database refused, or has no audit.
        """
        return await self._hosting.call(_verify, self._database, checkpoint)

    async def checkpoint(self) -> str:
        """Return a text that says how far each chain is; keep it somewhere else.

        With an ``audit_key`` it is signed. `verify` finds what was cut off since.
        """
        return await self._hosting.call(_checkpoint, self._database)


async def _verify(host: Host, database: Database, known: str | None) -> Verification:
    return await verify(_engine(host).driver(database), database.audit_key, known)


async def _checkpoint(host: Host, database: Database) -> str:
    return await checkpoint(_engine(host).driver(database), database.audit_key)


def _engine(host: Host) -> Engine:
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host
