"""What is done to a place as a whole, by way of the layers around nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from ...actors import Interceptor, Turn, compose
from ...errors import DataFlowError, ReadBlockedError
from ...messages import CrossTenant, Envelope, Operation, Request, Scope, acting
from ...models import Model
from ...sql import POSTGRESQL

__all__ = ["guarded_drop", "pass_layers"]


async def guarded_drop(
    layers: Sequence[Interceptor],
    models: Iterable[Model],
    reason: str,
    drop: Callable[[], Awaitable[None]],
) -> None:
    """Drop tables with all their rows: by way of the layers, as raw SQL would go.

    A change of the schema might show anything, so it is refused wherever a field is
    masked; but reading is judged last, and a drop shows nothing. So where nothing else
    is refused they are asked for a deletion of all rows instead.

    Raises:
        BlockedError: One of them refused; nothing was dropped.
    """
    names = [POSTGRESQL.quote(model.table) for model in models]

    async def work(_: Sequence[Envelope]) -> None:
        await drop()

    try:
        await pass_layers(layers, _asked("DROP TABLE {}", names, reason), work)
    except ReadBlockedError:
        await pass_layers(layers, _asked("DELETE FROM {}", names, reason), work)


def _asked(query: str, names: Iterable[str], reason: str) -> list[Envelope]:
    scope = _scope(reason)
    return [
        Envelope(
            message=Request(
                node="tenants",
                model="*",
                operation=Operation.SQL,
                parameters={"query": query.format(name)},
            ),
            principal=scope.principal,
            scope=scope,
        )
        for name in names
    ]


async def pass_layers(
    layers: Sequence[Interceptor],
    envelopes: Sequence[Envelope],
    work: Callable[[Sequence[Envelope]], Awaitable[None]],
) -> None:
    """Do work by way of the layers; what is refused for one message is not begun.

    Raises:
        BlockedError: One of them refused.
    """
    if not envelopes:
        await work(())
        return

    async def handle(turn: Turn) -> None:
        if len(turn) < len(envelopes):
            return
        await work(envelopes)
        for envelope in turn:
            envelope.reply({})

    await compose(tuple(layers), handle)(Turn("tenants", envelopes))
    # Of what was not refused nothing was begun where something was.
    errors = [each.error for each in envelopes if each.error is not None]
    if errors:
        raise next(
            (e for e in errors if not isinstance(e, ReadBlockedError)), errors[0]
        )
    if not all(envelope.is_done for envelope in envelopes):
        msg = "a layer neither refused nor passed on what was asked"
        raise DataFlowError(msg)


def _scope(reason: str) -> Scope:
    outer = acting.get() or Scope()
    return Scope(
        principal=outer.principal,
        context=outer.context,
        waivers=outer.waivers,
        cross_tenant=CrossTenant(reason=reason, may_write=True),
    )
