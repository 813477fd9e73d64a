"""One database as nodes see it: where it is, and the rules of the way there."""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from typing import Final, final

from ..actors import Interceptor
from ..audit import MasterKeys
from ..drivers import DatabaseUrl, Driver
from ..errors import ClosedError, MemoryDatabaseError
from ..models import Model
from ..row_security import RowSecurity
from .limits import Limits
from .tenants import Apart, Gate

__all__ = ["Database", "Prepare"]

_PROCESS_KEY: Final = os.urandom(32)
"""Signs cursors where no key is given: they end with the process."""

Prepare = Callable[[Driver, Model], Awaitable[object]]
"""Makes the table of a model ready before its first use."""


@final
class Database:
    """A database that nodes belong to; the same one on every event loop.

    It holds no connection: each `Engine` that runs its nodes has its own pool.
    Engines live on several threads, so what changes here is behind a lock.

    Args:
        url: Where it is.
        pool_size: Connections an engine may hold.
        echo: Whether to log each statement's text.
        interceptors: Layers around every node actor, sealed from here on.
        cursor_key: Signs the cursors of lists; without it a random one, the same for
            all databases of the process.
        prepare: Runs once per engine and model before its first message; None
            leaves the schema alone.
        audit_key: With which the leaves of the audit are signed; None leaves them
            unsigned.
        masters: With what the audit seals personal values; None leaves them out.
        limits: What its tenants may have; without it as much as they want.
        gate: Which tenants may come in; None lets all of them.
        apart: Where each tenant has tables of its own; None if a column tells whose a
            row is.
        row_security: Holds statements to their tenant in the database as well; None
            leaves that out.
        tenant: Whose it is; None if it is for all of them.
        schema: Where its tables are; None where plain names lead to them.

    Attributes:
        is_closed: Whether it takes no more work.
        name: What errors call it.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        pool_size: int = 20,
        echo: bool = False,
        interceptors: Sequence[Interceptor] = (),
        cursor_key: bytes | None = None,
        prepare: Prepare | None = None,
        audit_key: bytes | None = None,
        masters: MasterKeys | None = None,
        limits: Limits | None = None,
        gate: Gate | None = None,
        apart: Apart | None = None,
        row_security: RowSecurity | None = None,
        tenant: str | None = None,
        schema: str | None = None,
    ) -> None:
        self.url = url
        self.pool_size = pool_size
        self.echo = echo
        self.interceptors = tuple(interceptors)
        self.cursor_key = cursor_key or _PROCESS_KEY
        self.prepare = prepare
        self.audit_key = audit_key
        self.masters = masters
        self.limits = limits or Limits()
        self.gate = gate
        self.apart = apart
        self.row_security = row_security
        self.tenant = tenant
        self.schema = schema
        self.is_closed = False
        self.name = f"the database {url.safe}"
        self._lock = Lock()
        self._holders: set[object] = set()

    def __repr__(self) -> str:
        return f"<Database {self.url.safe}>"

    def of_tenant(
        self, url: DatabaseUrl, tenant: str, pool_size: int, schema: str | None
    ) -> Database:
        """Return the same for the place of a tenant; its cursors are its own."""
        key = hmac.digest(self.cursor_key, f"tenant\0{tenant}".encode(), "sha256")
        return Database(
            url,
            pool_size=pool_size,
            echo=self.echo,
            interceptors=self.interceptors,
            cursor_key=key,
            prepare=self.prepare,
            audit_key=self.audit_key,
            masters=self.masters,
            limits=self.limits,
            tenant=tenant,
            schema=schema,
        )

    @property
    def holders(self) -> list[object]:
        """The engines that have a pool of it now."""
        with self._lock:
            return [*self._holders]

    def check_open(self) -> None:
        """Raise if it is closed.

        Raises:
            ClosedError: It is.
        """
        if self.is_closed:
            raise ClosedError(self.name)

    def hold(self, engine: object) -> None:
        """Note that *engine* makes a pool of it.

        Raises:
            ClosedError: It is closed.
            MemoryDatabaseError: It lives in the memory of another engine's pool.
        """
        with self._lock:
            self.check_open()
            if self.url.is_memory and self._holders - {engine}:
                raise MemoryDatabaseError(self.name)
            self._holders.add(engine)

    def let_go(self, engine: object) -> None:
        """Note that *engine* has closed its pool; idempotent."""
        with self._lock:
            self._holders.discard(engine)

    def close(self) -> None:
        """Take no more work; idempotent."""
        with self._lock:
            self.is_closed = True
