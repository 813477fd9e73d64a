"""What all messages of one run have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from ...actors import Turn, current_turn
from ...errors import TenantMismatchError
from ...messages import Envelope, Scope, acting, plain_context

__all__ = ["Heading", "detach"]


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What every envelope of a run carries; see `Envelope` for the fields."""

    run_id: str
    deadline: float
    principal: str | None
    tenant: str | None
    scope: Scope
    chain: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        run_id: str,
        deadline: float,
        principal: str | None,
        tenant: str | None,
        context: Mapping[str, Any] | None,
    ) -> Self:
        """Return the heading of a run, with what the code that starts it acts as.

        Raises:
            TypeError: *context* is no mapping with names.
            TenantMismatchError: The code that starts it works for another tenant.
        """
        scope = acting.get()
        if scope is not None:
            principal = principal or scope.principal
            tenant = _one(tenant, scope.tenant)
        own = Scope(pins={}) if scope is None else scope.of_run()
        if context is not None:
            own.context = {**own.context, **plain_context(context)}
        return cls(
            run_id=run_id,
            deadline=deadline,
            principal=principal,
            tenant=tenant,
            scope=own,
        ).inherit()

    def inherit(self) -> Self:
        """Return it with what the message in hand adds, if this is run by a node.

        Its sender waits for the new run: so its chain goes on, its deadline limits,
        and who asks stays the same unless said otherwise. What layers keep for a run
        they keep for the runs inside it, too.
        """
        turn = current_turn.get()
        if turn is None or turn.is_over:
            return self
        outer: Scope | None = turn.agreed("scope")
        return msgspec.structs.replace(
            self,
            deadline=min(self.deadline, turn.deadline),
            principal=self.principal or turn.agreed("principal"),
            tenant=_one(self.tenant, turn.agreed("tenant")),
            scope=self.scope if outer is None else _joined(outer, self.scope),
            chain=turn.chain,
        )


def _one(tenant: str | None, around: str | None) -> str | None:
    """Return for whom a run is: the same as what is around it.

    Raises:
        TenantMismatchError: They are two.
    """
    if tenant is not None and around is not None and tenant != around:
        owner = "a run"
        raise TenantMismatchError(owner, "tenant")
    return tenant or around


def _joined(outer: Scope, inner: Scope) -> Scope:
    return Scope(
        context={**outer.context, **inner.context},
        waivers=tuple(dict.fromkeys((*outer.waivers, *inner.waivers))),
        pins=inner.pins if outer.pins is None else outer.pins,
        # Who acts for one tenant is not let out by a run inside.
        cross_tenant=inner.cross_tenant or outer.cross_tenant,
    )


def detach() -> None:
    """Forget, in this context, what only means something to another host.

    Paths of its actors and times on its clock; who asks and for whom stays.
    """
    turn = current_turn.get()
    if turn is not None:
        traits = {name: turn.agreed(name) for name in ("principal", "tenant", "scope")}
        heir = Envelope(message=None, **traits)
        current_turn.set(Turn("elsewhere", (heir,)))
