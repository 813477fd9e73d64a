"""The rows of a model, for direct calls: the same actors, the same path."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Final, Protocol, final

from .messages import Operation
from .models import Model
from .nodes import Host, ModelNode

__all__ = ["Records"]

_PAGE: Final = 1_000
"""Records a stream asks for at once."""


class Call(Protocol):
    """Calls a function with the host that is to run it."""

    async def __call__(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any: ...


async def _ask(host: Host, node: ModelNode, parameters: dict[str, Any]) -> Any:
    ref = host.ref_nowait(node) or await host.ref(node)
    return await ref.ask(
        node.message(parameters), deadline=math.inf, idempotent=node.is_idempotent
    )


@final
class Records:
    """The rows of one model; got by ``db[User]``.

    Every method sends a message to the actor of its node and waits for the reply:
    parameters, results and errors are those of the node. If cancelled, the message
    is abandoned; it may have taken effect.

    Attributes:
        model: What the rows are.
    """

    def __init__(
        self, model: Model, nodes: Mapping[Operation, ModelNode], call: Call
    ) -> None:
        self.model = model
        self._nodes = nodes
        self._call = call

    def __repr__(self) -> str:
        return f"<Records of {self.model.name}>"

    async def _do(self, operation: Operation, given: dict[str, Any]) -> Any:
        return await self._call(_ask, self._nodes[operation], given)

    async def create(self, **fields: Any) -> dict[str, Any]:
        """Store one row and return it, every column of it."""
        row: dict[str, Any] = await self._do(Operation.CREATE, fields)
        return row

    async def read(
        self, record_id: Any = None, /, *, raise_on_not_found: bool = True, **named: Any
    ) -> dict[str, Any]:
        """Return one row by its key, or by ``filter=``, with ``found``.

        Raises:
            RecordNotFoundError: It is not there.
        """
        given = _with_key(record_id, named, raise_on_not_found=raise_on_not_found)
        row: dict[str, Any] = await self._do(Operation.READ, given)
        return row

    async def update(self, record_id: Any = None, /, **fields: Any) -> dict[str, Any]:
        """Change one row and return it, with ``updated``."""
        row: dict[str, Any] = await self._do(
            Operation.UPDATE, _with_key(record_id, fields)
        )
        return row

    async def delete(self, record_id: Any = None, /, **named: Any) -> dict[str, Any]:
        """Delete one row and return its key, with ``deleted``."""
        row: dict[str, Any] = await self._do(
            Operation.DELETE, _with_key(record_id, named)
        )
        return row

    async def list(self, **parameters: Any) -> dict[str, Any]:
        """Return a page: filter, order_by, limit, offset, cursor, fields, count."""
        page: dict[str, Any] = await self._do(Operation.LIST, parameters)
        return page

    async def count(self, filter: Mapping[str, Any] | None = None) -> int:  # noqa: A002  the node's word
        """Return the number of rows a filter lets through."""
        result = await self._do(Operation.COUNT, {"filter": filter})
        return int(result["count"])

    async def upsert(self, **parameters: Any) -> dict[str, Any]:
        """Create or change one row: where, create, update, conflict_on."""
        result: dict[str, Any] = await self._do(Operation.UPSERT, parameters)
        return result

    async def bulk_create(self, data: Any, **parameters: Any) -> dict[str, Any]:
        """Store many rows and return the counts."""
        return await self._bulk(Operation.BULK_CREATE, {"data": data, **parameters})

    async def bulk_update(self, **parameters: Any) -> dict[str, Any]:
        """Change many rows, by filter and update or by data, and return the counts."""
        return await self._bulk(Operation.BULK_UPDATE, parameters)

    async def bulk_delete(self, **parameters: Any) -> dict[str, Any]:
        """Delete many rows, by filter or ids, and return the counts."""
        return await self._bulk(Operation.BULK_DELETE, parameters)

    async def bulk_upsert(self, data: Any, **parameters: Any) -> dict[str, Any]:
        """Store or change many rows and return the counts."""
        return await self._bulk(Operation.BULK_UPSERT, {"data": data, **parameters})

    async def _bulk(
        self, operation: Operation, given: dict[str, Any]
    ) -> dict[str, Any]:
        counts: dict[str, Any] = await self._do(operation, given)
        return counts

    def stream(
        self,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  the node's word
        *,
        order_by: Any = None,
        fields: Any = None,
        page: int = _PAGE,
    ) -> AsyncIterator[dict[str, Any]]:
        """Return an iterator over all records a filter lets through, in order.

        It asks for page after page and holds one of them, and no connection while
        the caller works. Each page sees the rows of its moment: a row that is
        changed meanwhile comes once or, if it moved back in the order, not again.

        Args:
            filter: Which rows.
            order_by: As for `list`; by key if None.
            fields: Names of the columns wanted; all if None.
            page: Records per page, at least one.
        """
        given = {
            "filter": filter, "order_by": order_by, "fields": fields, "limit": page
        }
        return self._pages({k: v for k, v in given.items() if v is not None})

    async def _pages(self, given: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        cursor = None
        while True:
            page = await self.list(**given, cursor=cursor)
            for record in page["records"]:
                yield record
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _with_key(
    record_id: Any, named: dict[str, Any], **options: Any
) -> dict[str, Any]:
    if record_id is not None:
        named["record_id"] = record_id
    return {**named, **options}
