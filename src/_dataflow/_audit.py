"""The audit of a database, for who looks after it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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

    async def verify(
        self,
        checkpoint: str | Sequence[str] | None = None,
        *,
        public_key: str | bytes | None = None,
    ) -> Verification:
        """Look at every leaf and every event; needs a role that may read them.

        Args:
            checkpoint: What `checkpoint` returned once, to be held against it; several
                as a list, or as lines of a text.
            public_key: By whose private key these must be signed, as PEM.

        Raises:
            AuditBrokenError: Something was changed, left out, put in or cut off;
                names the first place.
            SigningKeyError: The public key is none.
            ValueError: There is a public key, and no checkpoint that it could be for.
            DriverError: The database refused, or has no audit.
        """
        known = [checkpoint] if isinstance(checkpoint, str) else [*(checkpoint or ())]
        if public_key is not None and not known:
            msg = "a public key verifies checkpoints, and there is none: give one"
            raise ValueError(msg)
        call = partial(_verify, known=known, public_key=_pem(public_key))
        found: Verification = await self._hosting.call(call, self._database)
        return found

    async def checkpoint(self, *, private_key: str | bytes | None = None) -> str:
        """Return a line that says how far each chain is; keep it somewhere else.

        `verify` finds what was cut off since, or written anew.

        Args:
            private_key: Signs it by Ed25519, as PEM; `dataflow audit keygen` makes one.
                Without it the ``audit_key`` signs, if there is one.

        Raises:
            SigningKeyError: The private key is none.
            MissingExtraError: The library for it is not installed.
            DriverError: The database refused, or has no audit.
        """
        call = partial(_checkpoint, private_key=_pem(private_key))
        made: str = await self._hosting.call(call, self._database)
        return made


async def _verify(
    host: Host, database: Database, *, known: Sequence[str], public_key: bytes | None
) -> Verification:
    driver = _engine(host).driver(database)
    return await verify(driver, database.audit_key, known, public_key)


async def _checkpoint(
    host: Host, database: Database, *, private_key: bytes | None
) -> str:
    driver = _engine(host).driver(database)
    return await checkpoint(driver, database.audit_key, private_key)


def _pem(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


def _engine(host: Host) -> Engine:
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host
