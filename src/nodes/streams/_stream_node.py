"""Read all records that a filter lets through, as of one moment."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Protocol, cast, final

import msgspec

from ...drivers import Connection, Driver
from ...errors import FieldValueError
from ...messages import Operation, Request
from ...models import Model
from ...sql import Table, after
from .._database import Database
from .._node import Port
from ..model import (
    Arriving,
    ListNode,
    ListPlan,
    ModelNode,
    came,
    in_one_snapshot,
    isolated,
    load,
    whole_number,
)
from ._channel import Batch, Channel

__all__ = ["BATCH_SIZE", "IDLE_S", "Put", "StreamNode", "StreamRequest"]

BATCH_SIZE: Final = 1_000
"""Records that travel together when nothing is said."""

IDLE_S: Final = 60.0
"""Seconds a reader may take none when nothing is said."""


class Put(Protocol):
    """Takes batches."""

    async def __call__(self, batch: Batch, *, last: bool) -> None:
        """Take a batch, when there is room for it."""
        ...


class StreamRequest(Request, frozen=True, kw_only=True, eq=False):
    """Ask for a stream; the reply says that its first batch is there.

    Attributes:
        channel: Where the batches go.
    """

    channel: Channel


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which records, in which order, what of them, and how they travel."""

    listed: ListPlan
    batch_size: int
    idle_s: float


@final
class StreamNode(ModelNode[Plan]):
    """Hands over records in batches; for direct calls only.

    Where there are several connections it holds one, with a cursor on the server: one
    query, one moment. Where there is one only, as in a SQLite database in memory,
    holding it would keep the reader from any other statement between two records; so
    there it asks for page after page, each as of its own moment.
    """

    operation = Operation.STREAM
    suffix = "StreamNode"
    keeps_tenant = True

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        # What the reader has got already must not come again.
        self.is_idempotent = False
        self._list = ListNode(model, database)

    def ports(self) -> list[Port]:
        """Return filter, order, projection, and how they travel."""
        return [
            Port("filter", dict | None),
            Port("order_by"),
            Port("fields", list | tuple | None),
            Port("exclude", list | tuple | None),
            Port("distinct", bool | list | tuple | None),
            Port("include", list | tuple | None),
            Port("batch_size", int),
            Port("idle_s", float),
        ]

    def results(self) -> list[Port]:
        """Return nothing: records go into the channel."""
        return []

    def message(self, parameters: dict[str, Any]) -> StreamRequest:
        """Make the request; the channel is not a parameter of the query."""
        channel: Channel = parameters.pop("channel")
        return StreamRequest(
            node=self.name,
            model=self.model.name,
            operation=self.operation,
            parameters=parameters,
            channel=channel,
        )

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return what is to be read, checked as a list's parameters are."""
        self.refuse_unknown(parameters, owner)
        size = whole_number(
            parameters, "batch_size", owner, default=BATCH_SIZE, least=1
        )
        idle_s = _seconds(parameters.pop("idle_s", IDLE_S), owner)
        listed = self._list.plan(parameters | {"limit": None}, owner, arriving)
        return Plan(listed, size, idle_s)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Read everything at once, for whoever has no channel."""
        return await self._list.perform(connection, table, plan.listed)

    async def read(self, driver: Driver, table: Table, plan: Plan, put: Put) -> None:
        """Put everything, batch by batch.

        If cancelled, or if *put* raises, the query is closed and the connection back.

        Raises:
            DriverError: The database refused, or the connection was lost.
        """
        if driver.capacity(write=False) > 1:
            await self._read_at_once(driver, table, plan, put)
        else:
            await self._read_by_pages(driver, table, plan, put)

    async def _read_at_once(
        self, driver: Driver, table: Table, plan: Plan, put: Put
    ) -> None:
        async with driver.acquire(write=False) as connection:
            read = partial(self._put_all_but_last, connection, table, plan, put)
            if plan.listed.include:
                # Related rows come by statements of their own, between two batches.
                last = await isolated(connection, read)
            else:
                last = await read()
        # The connection is not needed to hand it over.
        await put(last, last=True)

    async def _put_all_but_last(
        self, connection: Connection, table: Table, plan: Plan, put: Put
    ) -> Batch:
        """Put every batch that is full, and return the one that is not."""
        size, listed = plan.batch_size, plan.listed
        query = self._list.select(table, listed)
        async with connection.stream(query, batch=size, snapshot=True) as batches:
            async for rows in batches:
                records = cast("Batch", rows)  # what the statement decodes them to
                await load(connection, table.dialect, records, listed.include)
                batch = _projected(records, listed)
                if len(batch) < size:
                    return batch
                await put(batch, last=False)
        return ()

    async def _read_by_pages(
        self, driver: Driver, table: Table, plan: Plan, put: Put
    ) -> None:
        # A list selects one row more than its limit.
        page = msgspec.structs.replace(plan.listed, limit=plan.batch_size - 1)
        order, is_last = page.order, False
        while not is_last:
            async with driver.acquire(write=False) as connection:
                read = partial(self._page, connection, table, page)
                if page.include:
                    records = await in_one_snapshot(connection, read)
                else:
                    records = await read()
            is_last = len(records) < plan.batch_size
            if not is_last:
                place = [records[-1][term.field.name] for term in order]
                page = msgspec.structs.replace(page, page=after(order, place))
            await put(_projected(records, plan.listed), last=is_last)

    async def _page(
        self, connection: Connection, table: Table, page: ListPlan
    ) -> Batch:
        (result,) = await connection.run([self._list.select(table, page)])
        records = cast("Batch", result.rows)
        await load(connection, table.dialect, records, page.include)
        return records


def _projected(records: Batch, plan: ListPlan) -> Batch:
    """Keep the fields that were asked for."""
    kept = plan.kept
    if kept is None:
        return records
    return [{name: each[name] for name in kept} for each in records]


def _seconds(value: object, owner: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldValueError(owner, "idle_s", came(value), "a number of seconds")
    if not value > 0:
        raise FieldValueError(owner, "idle_s", "none", "more than 0 seconds")
    return float(value)
