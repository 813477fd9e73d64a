"""The rows of a model, for direct calls: the same actors, the same path."""

from __future__ import annotations

import builtins
import math
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import Any, Protocol, TypeAlias, final

from .audit import Version
from .errors import AuditError, UnknownNodeError
from .messages import Operation
from .models import Model
from .nodes import BATCH_SIZE, IDLE_S, Call, Channel, Host, ModelNode, RecordStream
from .sql import Explanation

__all__ = ["Records", "ask"]


class Arrow(Protocol):
    """An Arrow table or record batch, such as pyarrow's."""

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows."""
        ...


_Row: TypeAlias = Mapping[str, Any] | Arrow

Data: TypeAlias = Iterable[_Row] | AsyncIterable[_Row] | Arrow
"""What the rows of a bulk call may come from; read once, as fast as it is stored."""

_Node = ModelNode[Any]
_Result = dict[str, Any]


Ask = Callable[[_Node, dict[str, Any]], Awaitable[_Result]]
"""Sends parameters to the actor of a node, and waits for the reply."""


async def ask(host: Host, node: _Node, given: dict[str, Any], /) -> _Result:
    """Send parameters to the actor of a node on *host*, and wait for the reply."""
    ref = host.ref_nowait(node) or await host.ref(node)
    result: _Result = await ref.ask(
        node.message(given), deadline=math.inf, idempotent=node.is_idempotent
    )
    return result


@final
class Records:
    """The rows of one model, for direct calls; ``db[User]`` gives them.

    Every method sends a message to the actor of its node and waits for the reply:
    parameters, results and errors are those of the node. If cancelled, the message
    is abandoned; it may have taken effect.

    Attributes:
        model: What the rows are.
    """

    def __init__(
        self, model: Model, nodes: Mapping[Operation, _Node], ask: Ask, call: Call
    ) -> None:
        self.model = model
        self._call = call
        self._nodes = nodes
        self._ask = ask

    def __repr__(self) -> str:
        return f"<Records of {self.model.name}>"

    def _do(
        self, operation: Operation, given: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        return self._ask(self._nodes[operation], given)

    async def create(self, **fields: object) -> dict[str, Any]:
        """Store one row and return it, every column of it."""
        return await self._do(Operation.CREATE, fields)

    async def read(
        self,
        record_id: object = None,
        /,
        *,
        raise_on_not_found: bool = True,
        **named: object,
    ) -> dict[str, Any]:
        """Return one row by its key, or by ``filter=``, with ``found``.

        ``include=["customer"]`` puts the related rows of these names into it.

        Raises:
            RecordNotFoundError: It is not there.
        """
        named["raise_on_not_found"] = raise_on_not_found
        return await self._do(Operation.READ, _with_key(record_id, named))

    async def update(
        self, record_id: object = None, /, **fields: object
    ) -> dict[str, Any]:
        """Change one row and return it, with ``updated``."""
        return await self._do(Operation.UPDATE, _with_key(record_id, fields))

    async def delete(
        self, record_id: object = None, /, **named: object
    ) -> dict[str, Any]:
        """Delete one row and return its key, with ``deleted``."""
        return await self._do(Operation.DELETE, _with_key(record_id, named))

    async def restore(
        self, record_id: object = None, /, **named: object
    ) -> dict[str, Any]:
        """Let a deleted row be there again and return it, with ``restored``.

        Only of models with ``soft_delete``.

        Raises:
            UnknownNodeError: The model does not keep deleted rows.
        """
        if Operation.RESTORE not in self._nodes:
            name = f"{self.model.name}RestoreNode"
            raise UnknownNodeError(
                name, tuple(each.name for each in self._nodes.values())
            )
        return await self._do(Operation.RESTORE, _with_key(record_id, named))

    async def list(self, **parameters: object) -> dict[str, Any]:
        """Return a page of records: see `docs/lists.md`.

        Which: filter, distinct. In which order: order_by. From where and how many:
        cursor or offset, limit, count. What of them: fields or exclude. What else: include.
        """
        return await self._do(Operation.LIST, parameters)

    async def explain(
        self, *, analyze: bool = False, **parameters: object
    ) -> Explanation:
        """Return how the database goes about a list, and which index would help.

        Nothing is executed, unless asked.

        Args:
            analyze: Execute it as well, and tell the rows and the time it took.
            **parameters: Those of `list`.
        """
        parameters["analyze"] = analyze
        result = await self._do(Operation.EXPLAIN, parameters)
        explanation: Explanation = result["explanation"]
        return explanation

    async def history(
        self, record_id: object = None, /, **named: object
    ) -> builtins.list[Version]:
        """Return what became of one row, the first change first.

        Only of models whose ``audit`` is ``changes`` or ``full``.

        Raises:
            AuditError: The model is not audited at such a level.
        """
        result = await self._history(record_id, named)
        versions: builtins.list[Version] = result["versions"]
        return versions

    async def as_of(
        self, until: datetime, record_id: object = None, /, **named: object
    ) -> dict[str, Any] | None:
        """Return one row as it was at a time, or None if it was not there.

        Raises:
            AuditError: The model is not audited at such a level.
        """
        result = await self._history(record_id, {**named, "until": until})
        record: dict[str, Any] | None = result["record"]
        return record

    def _history(
        self, record_id: object, named: dict[str, object]
    ) -> Awaitable[dict[str, Any]]:
        if Operation.HISTORY not in self._nodes:
            raise AuditError(self.model.name)
        return self._do(Operation.HISTORY, _with_key(record_id, named))

    async def count(
        self,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # the node's word
        **named: object,
    ) -> int:
        """Return the number of rows a filter lets through."""
        result = await self._do(Operation.COUNT, {"filter": filter, **named})
        return int(result["count"])

    async def aggregate(
        self,
        aggregates: Mapping[str, Mapping[str, str]],
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # the node's word
        group_by: str | Sequence[str] | None = None,
        having: Mapping[str, Any] | None = None,
        order_by: object = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> dict[str, Any]:
        """Return ``groups`` of rows with what is computed of each, and their ``count``.

        Args:
            aggregates: By the name in the result: ``{"total": {"$sum": "price"}}``.
            filter: Which rows.
            group_by: What the rows of a group agree in; one group of all if None.
            having: Which groups, as a filter of their fields and aggregates.
            order_by: As for `list`, by fields and aggregates; then by `group_by`.
            limit: Groups at most; all if None.
            offset: Groups left out before the first.
        """
        return await self._do(
            Operation.AGGREGATE,
            {
                "aggregates": aggregates,
                "filter": filter,
                "group_by": group_by,
                "having": having,
                "order_by": order_by,
                "limit": limit,
                "offset": offset,
            },
        )

    async def upsert(self, **parameters: object) -> dict[str, Any]:
        """Create or change one row: where, create, update, conflict_on."""
        return await self._do(Operation.UPSERT, parameters)

    async def bulk_create(self, data: Data, **parameters: object) -> dict[str, Any]:
        """Store many rows and return the counts.

        Raises:
            PartlyStoredError: It stopped when batches had been committed.
        """
        return await self._do(Operation.BULK_CREATE, {"data": data, **parameters})

    async def bulk_update(self, **parameters: object) -> dict[str, Any]:
        """Change many rows, by filter and update or by data, and return the counts."""
        return await self._do(Operation.BULK_UPDATE, parameters)

    async def bulk_delete(self, **parameters: object) -> dict[str, Any]:
        """Delete many rows, by filter or ids, and return the counts."""
        return await self._do(Operation.BULK_DELETE, parameters)

    async def bulk_upsert(self, data: Data, **parameters: object) -> dict[str, Any]:
        """Store or change many rows and return the counts."""
        return await self._do(Operation.BULK_UPSERT, {"data": data, **parameters})

    def stream(
        self,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # the node's word
        *,
        order_by: object = None,
        fields: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        distinct: bool | Sequence[str] = False,
        include: Sequence[str] | None = None,
        batch_size: int = BATCH_SIZE,
        page: int | None = None,
        idle_s: float = IDLE_S,
    ) -> RecordStream:
        """Return an iterator over all records a filter lets through, in order.

        It is one query, as of one moment: what is changed meanwhile does not show. The
        database keeps its place, and at most three batches are in memory, however many
        records there are. From the first record to the last it holds a connection of
        the pool; who leaves the loop before lets go of it, see `RecordStream`.

        With one connection only, as for SQLite in memory or ``pool_size=1``, it asks
        for page after page, each as of its own moment, and holds none in between.

        Args:
            filter: Which rows.
            order_by: As for `list`; by key if None.
            fields: Names of the columns wanted; all if None.
            exclude: Names of those that are not.
            distinct: Each combination of values once, as for `list`.
            include: Names of relations whose rows come with each record.
            batch_size: Records that are fetched together, at least one.
            page: The same by its former name.
            idle_s: Seconds without a record taken, after which the connection goes
                back and the stream ends with `StreamIdleError`.
        """
        size = batch_size if page is None else page
        if size < 1:
            msg = f"a batch holds at least one record, not {size}"
            raise ValueError(msg)
        given: dict[str, Any] = {
            "filter": filter,
            "order_by": order_by,
            "fields": fields,
            "exclude": exclude,
            "distinct": distinct,
            "include": include,
            "batch_size": size,
            "idle_s": idle_s,
        }

        def begin(channel: Channel) -> Awaitable[object]:
            return self._do(Operation.STREAM, given | {"channel": channel})

        return RecordStream(begin, self._call)


def _with_key(record_id: object, named: dict[str, object]) -> dict[str, object]:
    if record_id is not None:
        named["record_id"] = record_id
    return named
