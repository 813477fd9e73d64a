"""What is done to a place as a whole, by way of the layers around nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from ...actors import Interceptor, Turn, compose
from ...errors import DataFlowError
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

    What they are asked is a deletion of all rows: no rule about columns is touched.

    Raises:
        BlockedError: One of them refused; nothing was dropped.
    """
    scope = _scope(reason)
    names = [POSTGRESQL.quote(model.table) for model in models]
    envelopes = [
        Envelope(
            message=Request(
                node="tenants",
                model="*",
                operation=Operation.SQL,
                parameters={"query": f"DELETE FROM {name}"},  # noqa: S608  # the model's
            ),
            principal=scope.principal,
            scope=scope,
        )
        for name in names
    ]

    async def work(_: Sequence[Envelope]) -> None:
        await drop()

    await pass_layers(layers, envelopes, work)


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
    for envelope in envelopes:
        if envelope.error is not None:
            raise envelope.error
        if not envelope.is_done:
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
