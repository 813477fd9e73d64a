"""The address of a node whose tenants have a place each: it finds the right one.

A message goes on to the actor of the node in the place of its tenant, so what waits
together there is of one tenant, and one that is slow keeps no other waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, final

import anyio

from ...actors import ActorRef, NewSignal
from ...errors import (
    FieldValueError,
    TenantMismatchError,
    TenantRequiredError,
    TenantScopeError,
)
from ...messages import Envelope, Operation, Request
from ...models import TENANT
from ._tenant_places import TenantPlaces

__all__ = ["TenantRouter"]

_ALL = (
    "each tenant has tables of its own, so no statement is about all of them: name the "
    "tenant by tenant_id, and take one after the other"
)
_SQL = (
    "raw SQL cannot be kept to the schema of one tenant: use the nodes of the models, or "
    "for administration db.cross_tenant(reason=..., may_write=True)"
)


class Served(Protocol):
    """A place that has the actors of nodes."""

    @property
    def is_idle(self) -> bool:
        """Whether no stream reads from it."""
        ...

    def ref(self, node: Any) -> ActorRef:  # noqa: ANN401  # one of the engine's kinds
        """Return the address of the actor that serves a node there."""
        ...


@final
class TenantRouter:
    """Hands each message to the place of its tenant; its `ref` is what a host gives.

    Args:
        node: What is asked for.
        places: The places that are open.
        new_signal: Makes what a task waits for.
        shared: Serves messages that are for no tenant; None refuses them.
        has_sql: Whether raw SQL of a tenant may pass.

    Attributes:
        ref: The address.
    """

    def __init__(
        self,
        node: Any,  # noqa: ANN401  # one of the engine's kinds
        places: TenantPlaces[Any],
        new_signal: NewSignal,
        *,
        shared: ActorRef | None = None,
        has_sql: bool = True,
    ) -> None:
        self.path = f"/tenants/{node.name}"
        self.asks: dict[Envelope, str] = {}
        self.new_signal = new_signal
        self.ref = ActorRef(self)
        self._node = node
        self._places = places
        self._shared = shared
        self._has_sql = has_sql
        self._busy: dict[
            Envelope, tuple[str, ActorRef, Callable[[Envelope], None] | None]
        ] = {}

    def put_nowait(self, envelope: Envelope) -> bool:
        """Give a message to the place of its tenant, if that is open.

        Raises:
            anyio.WouldBlock: It is not, or the mailbox there is full.
            TenancyError: It is for nobody, or for more than one tenant.
            DeadlockError: The actor waits for this message.
        """
        tenant = self._tenant(envelope)
        if tenant is None:
            self._shared_ref().send_nowait(envelope)
            return True
        place = self._places.take_nowait(tenant)
        if place is None:
            raise anyio.WouldBlock
        ref = self._hold(tenant, place, envelope)
        try:
            ref.send_nowait(envelope)
        except BaseException:
            self._let_go(envelope)
            raise
        return True

    async def put(self, envelope: Envelope) -> None:
        """Give a message to the place of its tenant, and open that first.

        If cancelled while it waits, it is not delivered, unless the actor takes it at
        that very moment.
        """
        tenant = self._tenant(envelope)
        if tenant is None:
            await self._shared_ref().send(envelope)
            return
        place = await self._places.take(tenant)
        ref = self._hold(tenant, place, envelope)
        try:
            await ref.send(envelope)
        except BaseException:
            self._let_go(envelope)
            # The actor may have taken it all the same.
            ref.abandon(envelope)
            raise

    def abandon(self, envelope: Envelope) -> None:
        """Say, where it was handed to, that nobody waits for a message any more."""
        busy = self._busy.get(envelope)
        if busy is not None:
            busy[1].abandon(envelope)
        elif self._shared is not None:
            self._shared.abandon(envelope)

    # -- within -----------------------------------------------------------------

    def _tenant(self, envelope: Envelope) -> str | None:
        """Return for whom a message is; None if for whoever has the shared tables.

        Raises:
            TenantRequiredError: Nobody said.
            TenantMismatchError: Two tenants were named.
            TenantScopeError: It is for all of them, or cannot be kept to one.
        """
        request: Request = envelope.message
        is_across = (
            envelope.scope is not None and envelope.scope.cross_tenant is not None
        )
        if request.operation is Operation.SQL:
            return self._tenant_of_sql(envelope, is_across=is_across)
        given = request.parameters.get(TENANT)
        if given is not None and (not isinstance(given, str) or not given):
            came = "an empty one" if given == "" else type(given).__name__
            expected = "the name of a tenant, not empty"
            raise FieldValueError(request.node, TENANT, came, expected)
        tenant = envelope.tenant or given
        if given is not None and given != tenant:
            raise TenantMismatchError(request.node, TENANT)
        if tenant is None:
            if is_across:
                raise TenantScopeError(request.node, _ALL)
            raise TenantRequiredError(request.node)
        return tenant

    def _tenant_of_sql(self, envelope: Envelope, *, is_across: bool) -> str | None:
        tenant = envelope.tenant
        if tenant is not None and not self._has_sql:
            if not is_across:
                raise TenantScopeError(envelope.message.node, _SQL)
            return None
        return tenant

    def _shared_ref(self) -> ActorRef:
        assert self._shared is not None, "only raw SQL is for nobody"  # noqa: S101
        return self._shared

    def _hold(self, tenant: str, place: Served, envelope: Envelope) -> ActorRef:
        """Note that the place is in use until the message is answered."""
        try:
            ref = place.ref(self._node)
        except BaseException:
            self._places.give(tenant)
            raise
        self._busy[envelope] = tenant, ref, envelope.on_done
        envelope.on_done = self._done
        return ref

    def _let_go(self, envelope: Envelope) -> None:
        """Note that a message was not delivered, or that nobody waits for it."""
        busy = self._busy.pop(envelope, None)
        if busy is not None:  # else it was answered meanwhile
            tenant, _, envelope.on_done = busy
            self._places.give(tenant)

    def _done(self, envelope: Envelope) -> None:
        tenant, _, told = self._busy.pop(envelope)
        envelope.on_done = told
        self._places.give(tenant)
        if told is not None:
            told(envelope)
