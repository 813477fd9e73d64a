"""Rows that are older than they are kept: deleted, archived or anonymised.

Rules of this file:

1. A batch is one transaction. What is interrupted has done whole batches, and the next
   run goes on with what is still due.
2. The time is told by who asks, so that a run can be looked at for any day.
3. What is archived is copied as it is stored and deleted in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, final

import msgspec

from ..errors import DataFlowError, PartialViewError, RetentionStoppedError
from ..models import Kind, Model, Retention
from ..nodes import Lease
from ..sql import ALL, POSTGRESQL, parse
from ._archive import ARCHIVED
from ._erase import anonymise, delete_rows
from ._forget import forget
from ._kinds import Nodes
from ._reach import Row, keys_filter
from ._stand_in import refuse_fixed, stand_in

__all__ = ["Keeper", "RetentionStep", "due"]


class Open(Protocol):
    """Begins a transaction for nodes of some models."""

    def __call__(
        self, models: Sequence[Model], *, write: bool
    ) -> AbstractAsyncContextManager[Lease]:
        """Return its block."""
        ...


class RetentionStep(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of the old rows of one model.

    Attributes:
        model: Name of the model.
        table: Its table.
        action: ``delete``, ``archive`` or ``anonymise``.
        before: Rows from before this time are old.
        rows: How many.
        batches: In how many transactions; 0 of a plan.
        held: Old rows that stay because of a legal hold.
        is_done: Whether it was done; a plan otherwise.
    """

    model: str
    table: str
    action: str
    before: datetime
    rows: int
    batches: int = 0
    held: int = 0
    is_done: bool = False

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON holds."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def due(model: Model, retention: Retention, now: datetime) -> dict[str, Any]:
    """Return the filter of the rows that are kept no longer, on hold or not."""
    cutoff: Any = now - timedelta(days=retention.after_days)
    kind = model.field(retention.field).type.kind
    if kind is Kind.DATE:
        cutoff = cutoff.date()
    elif kind is Kind.NAIVE_DATETIME:
        cutoff = cutoff.replace(tzinfo=None)
    return {retention.field: {"$lt": cutoff}}


@final
class Keeper:
    """Applies the retention of one model.

    Args:
        model: Which.
        archive: Where its old rows go, or None.
        nodes: Finds the nodes of models.
        begin: Begins a transaction.
        now: The time.
        batch_size: Rows in one transaction.
        told: Called with the rows that are done after each batch, or None.
    """

    def __init__(
        self,
        model: Model,
        archive: Model | None,
        nodes: Nodes,
        begin: Open,
        *,
        now: datetime,
        batch_size: int,
        told: Callable[[str, int], object] | None = None,
    ) -> None:
        assert model.privacy.retention is not None, "asked before"  # noqa: S101
        self._model = model
        self._archive = archive
        self._nodes = nodes
        self._begin = begin
        self._now = now
        self._size = batch_size
        self._told = told
        self._retention = model.privacy.retention
        self._due = due(model, self._retention, now)
        self._models = [model] if archive is None else [model, archive]

    async def count(self) -> RetentionStep:
        """Say what would be done.

        Raises:
            PartialViewError: Rules hide rows from the sender.
        """
        async with self._begin(self._models, write=False) as lease:
            n_due = await self._count(lease, self._free())
            n_all = await self._count(lease, self._due)
        return self._step(n_due, held=n_all - n_due)

    async def apply(self) -> RetentionStep:
        """Do it, batch by batch.

        If cancelled, batches that were committed stay done.

        Raises:
            RetentionStoppedError: A batch could not be done.
        """
        if self._retention.action == "anonymise":
            refuse_fixed(self._model)
        n_rows = n_batches = held = 0
        try:
            held = (await self.count()).held
            async for done in self._batches():
                n_rows += done
                n_batches += 1
                if self._told is not None:
                    self._told(self._model.name, n_rows)
        except DataFlowError as error:
            reason = str(error)
            raise RetentionStoppedError(self._model.name, n_rows, reason) from error
        return self._step(n_rows, batches=n_batches, held=held, is_done=True)

    async def _batches(self) -> AsyncIterator[int]:
        """Yield the rows done in each batch."""
        cursor: str | None = None
        while True:
            async with self._begin(self._models, write=True) as lease:
                page = await self._page(lease, cursor)
                rows: list[Row] = page["records"]
                n_done = await self._act(lease, rows) if rows else 0
            if n_done:
                yield n_done
            if len(rows) < self._size:
                return
            # What was deleted is no longer there; what was anonymised is.
            if self._retention.action == "anonymise":
                cursor = page["next_cursor"]
                if cursor is None:
                    return

    async def _page(self, lease: Lease, cursor: str | None) -> dict[str, Any]:
        model = self._model
        wanted = list(model.key)
        if self._retention.action == "anonymise":
            wanted += [each.name for each in model.personal if each.name not in wanted]
        asked: dict[str, Any] = {
            "filter": self._free(),
            "limit": self._size,
            "fields": wanted,
        }
        if model.deleted_field is not None:
            asked["include_deleted"] = True
        if cursor is not None:
            asked["cursor"] = cursor
        page = await lease.ask(self._nodes.list(model), **asked)
        _refuse_hidden(lease, model)
        return page

    async def _act(self, lease: Lease, rows: Sequence[Row]) -> int:
        model, nodes = self._model, self._nodes
        if self._retention.action == "anonymise":
            left = [row for row in rows if not self._is_anonymous(lease, row)]
            if left:
                await anonymise(lease, nodes, model, left)
                await forget(lease, [(model, left)])
            return len(left)
        if self._archive is not None:
            await self._move(lease, rows, self._archive)
        await delete_rows(lease, nodes, model, rows)
        if self._archive is None:
            await forget(lease, [(model, rows)])
        return len(rows)

    def _is_anonymous(self, lease: Lease, row: Mapping[str, Any]) -> bool:
        model, terms = self._model, lease.terms
        if terms is not None and any(e.name in terms.masks for e in model.personal):
            return False  # what is shown cannot be told from what stands for it
        return all(row[e.name] == stand_in(model, e, row) for e in model.personal)

    async def _move(self, lease: Lease, rows: Sequence[Row], archive: Model) -> None:
        """Store rows, as they are stored, in the archive.

        They are read past all masks, for what is masked there is masked here.
        """
        selected = lease.table(self._model).select(
            parse(keys_filter(self._model, rows), self._model), decoded=True
        )
        if lease.dialect is POSTGRESQL:
            selected = msgspec.structs.replace(
                selected, text=f"{selected.text} FOR UPDATE"
            )
        (result,) = await lease.connection.run((selected,))
        left_out = self._model.tenant_field  # it is the sender's, by itself
        data = [
            {name: value for name, value in row.items() if name != left_out}
            | {ARCHIVED: self._now}
            for row in result.rows
        ]
        await lease.ask(self._nodes.create(archive), data=data)

    async def _count(self, lease: Lease, filter_: Mapping[str, Any]) -> int:
        asked: dict[str, Any] = {"filter": filter_, "limit": 1, "count": True}
        if self._model.deleted_field is not None:
            asked["include_deleted"] = True
        if self._model.key:
            asked["fields"] = [*self._model.key]
        page = await lease.ask(self._nodes.list(self._model), **asked)
        _refuse_hidden(lease, self._model)
        return int(page["total"])

    def _free(self) -> dict[str, Any]:
        """Return the filter of what is due and on no hold."""
        hold = self._model.privacy.hold
        if hold is None:
            return self._due
        return {"$and": [self._due, {"$not": {hold: True}}]}

    def _step(
        self, rows: int, *, batches: int = 0, held: int = 0, is_done: bool = False
    ) -> RetentionStep:
        return RetentionStep(
            model=self._model.name,
            table=self._model.table,
            action=self._retention.action,
            before=self._now - timedelta(days=self._retention.after_days),
            rows=rows,
            batches=batches,
            held=held,
            is_done=is_done,
        )


def _refuse_hidden(lease: Lease, model: Model) -> None:
    if lease.terms is not None and lease.terms.visible is not ALL:
        raise PartialViewError(model.name, ())
