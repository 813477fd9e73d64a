"""What changes tables as a whole, by way of the layers around nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from ..actors import Interceptor, Turn, compose
from ..errors import DataFlowError, ReadBlockedError
from ..messages import CrossTenant, Envelope, Operation, Request, Scope
from ..models import Model
from ..nodes import sender
from ..sql import POSTGRESQL

__all__ = ["DROP", "MIGRATE", "ask_for_rows", "ask_for_tables", "guarded"]

DROP = "DROP TABLE {}"
MIGRATE = "ALTER TABLE {} ADD COLUMN migrated integer"
_ALL_WRITES = "DELETE FROM {}"


async def guarded(
    layers: Sequence[Interceptor],
    query: str,
    tables: Iterable[str],
    work: Callable[[], Awaitable[None]],
    *,
    node: str,
    reason: str,
) -> None:
    """Change tables as messages of raw SQL would: by way of the layers.

    A change of the schema might show anything, so it is refused wherever a field is
    masked; but reading is judged last, and this shows nothing. So where nothing else is
    refused, layers are asked for a deletion of all rows instead.

    Args:
        layers: The layers, the first outermost.
        query: What they are asked, with ``{}`` for the table.
        tables: Names of the tables; ``*`` for none that is known.
        work: Does it.
        node: What errors call whoever does it.
        reason: Why, for the log.

    Raises:
        BlockedError: One of them refused; nothing was done.
        TenantScopeError: The sender works for one tenant.
    """
    await _guarded(layers, query, tables, work, node=node, scope=_scope(reason))


async def _guarded(
    layers: Sequence[Interceptor],
    query: str,
    tables: Iterable[str],
    work: Callable[[], Awaitable[None]],
    *,
    node: str,
    scope: Scope,
) -> None:
    names = [POSTGRESQL.quote(name) for name in tables]
    try:
        await _pass(layers, _asked(query, names, node, scope), work)
    except ReadBlockedError:
        await _pass(layers, _asked(_ALL_WRITES, names, node, scope), work)


async def ask_for_rows(
    layers: Sequence[Interceptor],
    models: Iterable[Model],
    tenant: str,
    *,
    node: str,
    reason: str,
) -> None:
    """Ask layers whether all rows of a tenant may be deleted.

    Nothing is done, and nothing counts as done, for rates say.

    Args:
        layers: The layers, the first outermost.
        models: Whose rows; those that know no such operation are left out.
        tenant: The tenant.
        node: What errors call whoever asks.
        reason: Why, for the log.

    Raises:
        BlockedError: One of them refused.
    """
    operation = Operation.BULK_DELETE
    scope = _scope(reason, is_question=True)
    envelopes = [
        Envelope(
            message=Request(
                node=node,
                model=model.name,
                operation=operation,
                parameters={"filter": {}},
            ),
            principal=scope.principal,
            tenant=tenant,
            scope=scope,
        )
        for model in models
        if operation not in model.unavailable
    ]
    await _pass(layers, envelopes, _nothing)


async def ask_for_tables(
    layers: Sequence[Interceptor],
    query: str,
    tables: Iterable[str],
    *,
    node: str,
    reason: str,
) -> None:
    """Ask layers whether `guarded` may do its work; nothing is done, nor counted.

    Raises:
        BlockedError: One of them refused.
        TenantScopeError: The sender works for one tenant.
    """
    scope = _scope(reason, is_question=True)
    await _guarded(layers, query, tables, _nothing, node=node, scope=scope)


async def _nothing() -> None:
    """Do nothing, where layers are asked beforehand."""


def _asked(query: str, names: Iterable[str], node: str, scope: Scope) -> list[Envelope]:
    return [
        Envelope(
            message=Request(
                node=node,
                model="*",
                operation=Operation.SQL,
                parameters={"query": query.format(name)},
            ),
            principal=scope.principal,
            tenant=scope.tenant,
            scope=scope,
        )
        for name in names
    ]


def _scope(reason: str, *, is_question: bool = False) -> Scope:
    """Return for whom this is: the sender, across tenants unless it works for one."""
    outer = sender()
    cross = CrossTenant(reason=reason, may_write=True)
    return Scope(
        principal=outer.principal,
        tenant=outer.tenant,
        context=outer.context,
        waivers=outer.waivers,
        cross_tenant=cross if outer.tenant is None else None,
        is_question=is_question,
    )


async def _pass(
    layers: Sequence[Interceptor],
    envelopes: Sequence[Envelope],
    work: Callable[[], Awaitable[None]],
) -> None:
    """Do work by way of the layers; what is refused for one message is not begun.

    Raises:
        BlockedError: One of them refused.
    """
    if not envelopes:
        await work()
        return

    async def handle(turn: Turn) -> None:
        if len(turn) < len(envelopes):
            return
        await work()
        for envelope in turn:
            envelope.reply({})

    await compose(tuple(layers), handle)(Turn(envelopes[0].message.node, envelopes))
    errors = [each.error for each in envelopes if each.error is not None]
    if errors:
        # Others first: of those about reading it may be that they do not matter.
        raise next(
            (e for e in errors if not isinstance(e, ReadBlockedError)), errors[0]
        )
    if not all(envelope.is_done for envelope in envelopes):
        msg = "a layer neither refused nor passed on what was asked"
        raise DataFlowError(msg)
