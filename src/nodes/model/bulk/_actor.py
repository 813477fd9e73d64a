"""The actor of a node that works on many rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Final, final

from ....actors import Actor, Turn
from ....audit import AuditedDriver, Facts
from ....drivers import Driver
from ....errors import ConnectionLostError, ForeignKeyError
from ....messages import Envelope
from ....sql import Table, Terms, guarded, table_of
from ...limits import Pace, full_pace
from ..guards import Attempt, GuardedConnection, Triggers, WalledDriver, named
from ..parameters import named_fields, settle, view_of
from ._node import BulkNode

__all__ = ["BULK_MAILBOX", "BulkActor"]

BULK_MAILBOX: Final = 8
"""Messages that wait at most: each may stand for a million rows."""


@final
class BulkActor(Actor):
    """Carries out the requests of one bulk node, each in a worker of its own.

    It holds no connection of its own: a request takes one for each batch, or one
    for all of them, see `BulkNode.work`. A request whose sender has gone is
    cancelled; what that leaves is the node's to say.

    Args:
        node: What it does.
        driver: Where to.
        prepare: Awaited before each request; sees to it once that the table is there.
        triggers: Knows which writes set off triggers of others.
        pace: Gives the pace for a request, while it lasts.
    """

    turn_size = 1
    patience_s = 0.0

    def __init__(
        self,
        node: BulkNode[Any],
        driver: Driver,
        prepare: Callable[[], Awaitable[None]],
        triggers: Triggers,
        pace: Callable[[Envelope], AbstractContextManager[Pace]] = full_pace,
    ) -> None:
        self._pace = pace
        self._triggers = triggers
        self._node = node
        self._driver = driver
        self._prepare = prepare
        self._table = table_of(node.model, driver.dialect)
        # Also where only one can write: each takes the writer for a batch at a time, so
        # that an endless source keeps nobody waiting.
        # At least two, so that one lane alone cannot have all of them.
        self.workers = max(2, driver.capacity(write=False))

    async def handle(self, turn: Turn) -> None:
        """Plan each request and carry it out."""
        for envelope in turn:
            if not envelope.is_abandoned:
                await self._serve(envelope)

    async def _serve(self, envelope: Envelope) -> None:
        node = self._node
        try:
            parameters = dict(envelope.message.parameters)
            settle(node.model, envelope, parameters, keeps_tenant=node.keeps_tenant)
            plan = node.plan(parameters, node.name)
            await self._prepare()
            table = view_of(self._table, envelope)
            driver = self._audited(envelope, await self._walled(envelope))
            if envelope.terms is None:
                with self._pace(envelope) as pace:
                    reply = await node.work(driver, table, plan, pace)
            else:
                reply = await self._work_under(
                    envelope.terms, driver, table, envelope, plan
                )
        except ForeignKeyError as error:
            envelope.fail(named(error, Attempt(node.model, node.operation)))
        except Exception as error:  # noqa: BLE001  the sender's to handle
            envelope.fail(error)
        else:
            envelope.reply(reply)

    async def _walled(self, envelope: Envelope) -> Driver:
        """Return the driver; where triggers are set off, one that asks about them."""
        judged = envelope.judged
        if judged is None or judged.wall is None:
            return self._driver
        is_reached = await self._triggers.reach(self._node.model)
        return WalledDriver(self._driver, envelope) if is_reached else self._driver

    def _audited(self, envelope: Envelope, driver: Driver) -> Driver:
        """Return *driver*; where changes are recorded, one that does that."""
        node = self._node
        if node.database.row_security is not None:
            driver = node.database.row_security.driver(driver, node.model, envelope)
        if node.model.audit == "off":
            return driver
        key, masters = node.database.audit_key, node.database.masters
        facts = Facts.of(envelope)
        return AuditedDriver(driver, node.model, facts, key, masters=masters)

    async def _work_under(
        self,
        terms: Terms,
        driver: Driver,
        table: Table,
        envelope: Envelope,
        plan: object,
    ) -> dict[str, Any]:
        """Carry out a plan under terms: all of it or nothing, on one connection.

        So what is found out with the last batch undoes the first one, too.
        """
        named = named_fields(self._node.model, envelope.message)
        own = guarded(table, terms, named)
        try:
            if terms.is_static:
                with self._pace(envelope) as pace:
                    return await self._node.work(driver, own, plan, pace)
            async with driver.acquire() as connection, connection.transaction():
                alone = GuardedConnection(connection, terms)
                return await self._node.perform(alone, own, plan)
        except ConnectionLostError:
            raise
        except BaseException:
            own.release()
            raise
