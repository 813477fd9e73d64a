"""Nodes at work in one transaction: many messages, all of them or none.

Rules of this file:

1. Each message goes the usual way, through a mailbox and all layers, to an actor of its
   node. Only the connection is not the pool's: it is the one of the transaction.
2. One message at a time. The actors have stopped before the transaction ends, whatever
   ends it, so nothing runs on a connection that is given back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, final
from uuid import uuid4

from msgspec.structs import replace

from ..actors import ActorRef, Handler, SupervisorRef, Turn
from ..audit import AuditedDriver, Facts
from ..drivers import Connection, Driver, LentDriver
from ..errors import TenantRequiredError
from ..models import Model
from ..sql import ALL, Table, Terms, Undecided, table_of
from ._database import Database
from ._sender import sender
from ._tenant_place import TenantPlace
from .model import BulkActor, BulkNode, ModelNode, NodeActor, Triggers

__all__ = ["Lease"]


@final
class Lease:
    """One transaction in which nodes work for one sender; `Engine.lease` gives it.

    Args:
        driver: Gives its connection, to whoever asks.
        supervisor: Under which its actors live.
        database: Whose layers are around them.
        home: The place of the tenant, where each has one.

    Attributes:
        connection: In the transaction.
        dialect: What that speaks.
        run_id: Of all its messages.
        terms: Under which the last message was carried out, or None.
    """

    def __init__(
        self,
        driver: LeasedDriver,
        supervisor: SupervisorRef,
        database: Database,
        home: TenantPlace | None = None,
    ) -> None:
        self.connection = driver.connection
        self.dialect = driver.dialect
        self.run_id = uuid4().hex
        self.terms: Terms | None = None
        self._driver = driver
        self._supervisor = supervisor
        self._database = database
        self._home = home
        whose = sender()
        # One run: by one set of rules, for one tenant, within one budget.
        self._scope = whose.of_run()
        self._principal = whose.principal
        self._tenant = whose.tenant
        self._refs: dict[ModelNode[Any], ActorRef] = {}

    @property
    def schema(self) -> str | None:
        """The schema where it works; None where plain names lead."""
        return None if self._home is None else self._home.database.schema

    async def ask(self, node: ModelNode[Any], /, **given: Any) -> dict[str, Any]:  # noqa: ANN401  # the node checks them
        """Send parameters to an actor of *node*, and wait for the reply.

        Raises:
            DataFlowError: What the node, or a layer around it, raises.
        """
        ref = self._refs.get(node)
        if ref is None:
            ref = self._refs[node] = self._spawn(node)
        reply: dict[str, Any] = await ref.ask(
            node.message(given),
            run_id=self.run_id,
            principal=self._principal,
            tenant=self._tenant,
            scope=self._scope,
        )
        return reply

    def table(self, model: Model) -> Table:
        """Return the table of *model* for its sender, deleted rows in it too.

        For what nodes do not do: its statements know no rules, and run past layers.

        Raises:
            TenantRequiredError: Its rows have tenants, and the sender acts for none.
        """
        return self._of_sender(table_of(self._here(model), self.dialect).stored)

    async def count(self, model: Model) -> int:
        """Return how many rows of *model* the sender has, deleted ones included."""
        (result,) = await self.connection.run((self.table(model).count(),))
        return int(result.rows[0][0])

    async def rows(
        self, model: Model, batch: int
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yield the rows of *model* that the sender has, deleted ones too, by key.

        It looks past rules: for whom those let read everything.
        """
        table = self.table(model)
        query = table.select(ALL, order=table.key_order)
        async with self.connection.stream(query, batch=batch) as batches:
            async for rows in batches:
                yield [table.decode(row) for row in rows]

    async def restore(
        self, model: Model, rows: Sequence[tuple[dict[str, Any], dict[str, Any]]]
    ) -> None:
        """Give rows, by their keys, values that else only nodes make.

        It is audited like a change by a node. For who stores again what was stored.
        """
        if not rows:
            return
        here = self._here(model)
        free = replace(here, deleted_field=None, version_field=None)
        table = self._of_sender(table_of(free, self.dialect))
        driver: Driver = self._driver
        if model.audit != "off":
            facts = Facts(
                node="tenants",
                operation="import",
                principal=self._principal,
                tenant=self._tenant,
                run=self.run_id,
            )
            driver = AuditedDriver(
                driver,
                here,
                facts,
                self._database.audit_key,
                masters=self._database.masters,
            )
        async with driver.acquire() as connection:
            await connection.run(
                [table.update_key(key, values) for key, values in rows]
            )

    def _here(self, model: Model) -> Model:
        return model if self._home is None else self._home.model(model)

    def _of_sender(self, table: Table) -> Table:
        if not isinstance(table, Undecided):
            return table
        if self._tenant is None:
            raise TenantRequiredError(table.model.name)
        return table.of(self._tenant)

    def _spawn(self, node: ModelNode[Any]) -> ActorRef:
        if self._home is not None and node.model.is_apart:
            node = self._home.at(node)
        triggers = Triggers(self._driver, schema=self.schema)
        make = (
            partial(BulkActor, node, self._driver, _ready, triggers)
            if isinstance(node, BulkNode)
            else partial(NodeActor, node, self._driver, _ready, triggers)
        )
        layers = (*self._database.interceptors, self._watch)
        return self._supervisor.spawn(make, node.name, interceptors=layers)

    async def _watch(self, turn: Turn, call_next: Handler) -> None:
        """Note the terms that the layers have set."""
        for envelope in turn:
            self.terms = envelope.terms
        await call_next(turn)


@final
class LeasedDriver(LentDriver):
    """A driver with one connection, in a transaction that somebody else ends.

    Args:
        driver: Of which database.
        connection: The connection.
    """

    def __init__(self, driver: Driver, connection: Connection) -> None:
        super().__init__(driver)
        self.connection = connection

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give the connection; it is not given back."""
        del write
        yield self.connection

    def capacity(self, *, write: bool = True) -> int:
        """Return 1: its messages come one by one."""
        del write
        return 1


async def _ready() -> None:
    """Tables were seen to before the transaction began."""
