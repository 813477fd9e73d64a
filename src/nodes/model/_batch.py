"""Batches: the messages of a turn that are carried out together.

Rules of this file:

1. Each message has its own reply and its own error. A batch that fails did nothing;
   it is split until the messages that fail are alone, in their order.
2. Messages of different tenants never share a batch. Nor do messages under different
   terms, or under terms that depend on rows.
3. A lost connection is no reason to split: whether a write was done is unknown, so
   every message of it fails; a read is done once more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeAlias, final

from ...audit import AuditedConnection, Facts
from ...drivers import Connection, Row
from ...errors import ConnectionLostError, DriverError, ForeignKeyError
from ...messages import Envelope
from ...sql import GuardedTable, Result, Table, Terms, guarded
from ._model_node import ModelNode
from ._row_node import RowNode
from .guards import GuardedConnection, explained, walled
from .parameters import named_fields, view_of

__all__ = ["Batch", "Job", "batched", "is_walled"]

Job: TypeAlias = tuple[Envelope, Any]
"""A message and the plan that was made of it."""


Outcome: TypeAlias = list[Result] | DriverError
"""The results of the statements of one plan, or why they were undone."""


@final
class Batch:
    """Messages that share a statement, or a transaction.

    Args:
        node: What they ask for.
        jobs: The messages with their plans, at least one.
        terms: Under which all of them are carried out, or None.
        walls: Whether the database is asked what it does for the one message there is.

    Attributes:
        jobs: Those that somebody still waits for, once it ran.
    """

    __slots__ = ("_node", "_terms", "_walls", "jobs")

    def __init__(
        self,
        node: ModelNode[Any],
        jobs: Sequence[Job],
        terms: Terms | None = None,
        *,
        walls: bool = False,
    ) -> None:
        self._node = node
        self._walls = walls
        self.jobs = jobs
        self._terms = terms

    async def run(self, connection: Connection, table: Table) -> list[Batch]:
        """Carry it out and answer each message.

        Returns:
            What it was split into, to be run instead; empty when it is done.

        Raises:
            ConnectionLostError: The messages are not answered.
        """
        jobs = self.jobs
        if len(jobs) > 1 or jobs[0][0].is_abandoned:
            self.jobs = jobs = [each for each in jobs if not each[0].is_abandoned]
        node = self._node
        if jobs and self._walls:
            connection = walled(connection, jobs[0][0], table.dialect)
        if jobs and node.has_views:
            table = view_of(table, jobs[0][0])
        if jobs and node.database.row_security is not None:
            connection = node.database.row_security.connection(
                connection, node.model, jobs[0][0]
            )
        if jobs and node.is_recorded:
            connection = self._audited(connection, table)
        if self._terms is not None and jobs:
            return await self._run_under(self._terms, connection, table)
        if len(jobs) > 1:
            return await self._run_together(connection, table)
        for job in jobs:
            envelope, plan = job
            try:
                envelope.reply(await node.perform(connection, table, plan))
            except ConnectionLostError:
                raise
            except ForeignKeyError as error:
                envelope.fail(await self._explained(connection, table, job, error))
            except Exception as error:  # noqa: BLE001  the sender's, see rule 1
                envelope.fail(error)
        return []

    def _audited(self, connection: Connection, table: Table) -> Connection:
        """Return a connection that records what is changed."""
        node = self._node
        facts, database = Facts.of(self.jobs[0][0]), node.database
        return AuditedConnection(
            connection,
            table.dialect,
            node.model,
            facts,
            database.audit_key,
            masters=database.masters,
        )

    async def _run_under(
        self, terms: Terms, connection: Connection, table: Table
    ) -> list[Batch]:
        """Carry it out under terms: several only if these depend on no row."""
        own = _guarded_for(self._node, terms, table, self.jobs[0][0])
        alone = GuardedConnection(connection, terms)
        if len(self.jobs) > 1:
            return await self._run_together(alone, own)
        ((envelope, plan),) = self.jobs
        try:
            envelope.reply(await self._node.perform(alone, own, plan))
        except ConnectionLostError:
            raise
        except BaseException as error:
            own.release()
            if not isinstance(error, Exception):
                raise
            envelope.fail(error)
        return []

    async def _explained(
        self, connection: Connection, table: Table, job: Job, error: ForeignKeyError
    ) -> DriverError:
        """Return *error* with the foreign key that refused, if that can be told."""
        if not isinstance(self._node, RowNode):
            return error
        attempt = self._node.attempt(job[1])
        return await explained(connection, table, error, attempt)

    def fail(self, error: BaseException) -> None:
        """Fail every message of it."""
        for envelope, _ in self.jobs:
            envelope.fail(error)

    async def _run_together(self, connection: Connection, table: Table) -> list[Batch]:
        node = self._node
        assert isinstance(node, RowNode), "only these have shapes"  # noqa: S101
        plans = [plan for _, plan in self.jobs]
        outcomes: list[Outcome]
        try:
            if table.merges:
                outcomes = await _run_merged(connection, table, node, plans)
            else:
                each = [node.statements(table, plan) for plan in plans]
                outcomes = await connection.run_apart(each)
        except ConnectionLostError:
            raise
        except Exception:  # noqa: BLE001  alone it is the sender's, see rule 1
            middle = len(self.jobs) // 2
            halves = self.jobs[:middle], self.jobs[middle:]
            return [Batch(node, half, self._terms) for half in halves]
        for job, outcome in zip(self.jobs, outcomes, strict=True):
            envelope, plan = job
            if isinstance(outcome, ForeignKeyError):
                envelope.fail(await self._explained(connection, table, job, outcome))
                continue
            if isinstance(outcome, DriverError):
                envelope.fail(outcome)
                continue
            try:
                envelope.reply(node.reply(table, plan, outcome))
            except Exception as error:  # noqa: BLE001  the sender's, see rule 1
                envelope.fail(error)
        return []


async def _run_merged(
    connection: Connection, table: Table, node: RowNode[Any], plans: Sequence[Any]
) -> list[Outcome]:
    """Run plans of one shape as one statement; return the results of each.

    Raises:
        LookupError: What came back does not tell whose it is; nothing was done.
    """
    statement = node.merge(table, plans)
    if statement.many:
        async with connection.transaction():
            (result,) = await connection.run((statement,))
            shares = node.divide(table, plans, result.rows)
    else:
        (result,) = await connection.run((statement,))
        shares = node.divide(table, plans, result.rows)
    return [[_result(share)] for share in shares]


def _result(rows: Sequence[Row]) -> Result:
    return Result(rows, len(rows))


def _guarded_for(
    node: ModelNode[Any], terms: Terms, table: Table, envelope: Envelope
) -> GuardedTable:
    return guarded(table, terms, _named(node, envelope))


def _named(node: ModelNode[Any], envelope: Envelope) -> frozenset[str]:
    return named_fields(node.model, envelope.message)


def is_walled(job: Job) -> bool:
    """Whether rules want to know what the database does for a message by itself."""
    judged = job[0].judged
    return judged is not None and judged.wall is not None


def batched(node: ModelNode[Any], table: Table, jobs: Iterable[Job]) -> Iterable[Batch]:
    """Group *jobs* into batches, in the order of the first message of each.

    Messages of one batch keep their order, and so do those that change the same row
    in the same columns.
    """
    if not isinstance(node, RowNode):
        return [Batch(node, (job,), job[0].terms) for job in jobs]
    batches: list[list[Job]] = []
    growing: dict[Hashable, tuple[list[Job], set[Hashable]]] = {}
    for job in jobs:
        envelope, plan = job
        view = view_of(table, envelope)
        shape: Hashable = node.shape(view, plan)
        terms: Terms | None = envelope.terms
        if shape is None or (terms is not None and not terms.is_static):
            batches.append([job])
            continue
        # One by one in a transaction, statements need not be alike.
        kind: Hashable = (envelope.tenant, view, shape if view.merges else None)
        if node.is_recorded:
            kind = (kind, Facts.of(envelope).identity)
        if terms is not None:
            kind = (kind, terms, _named(node, envelope) if terms.guards else None)
        identity = node.identity(view, plan) if view.merges else None
        batch, taken = growing.get(kind, (None, None))
        if batch is None or taken is None or identity in taken:
            batch, taken = growing[kind] = ([], set())
            batches.append(batch)
        if identity is not None:
            taken.add(identity)
        batch.append(job)
    return [Batch(node, batch, batch[0][0].terms) for batch in batches]
