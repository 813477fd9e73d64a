"""For whom a node works: for one tenant, or for whoever looks after all of them.

Rules of this file:

1. Who sends says it with the run or the block; a node may be given it by itself, where
   nothing else says it. Two that disagree are refused.
2. It is decided on the receiving side, before the node plans, and holds for a run: its
   messages are all for the same tenant.
"""

from __future__ import annotations

from typing import Any, Final

from ....errors import (
    FieldValueError,
    TenantMismatchError,
    TenantRequiredError,
    TenantScopeError,
)
from ....messages import CrossTenant, Envelope, Request
from ....models import TENANT, Model
from ....sql import Table, Undecided
from ....telemetry import get_log
from ._options import came

__all__ = ["settle_tenant", "take_tenant", "tenant_table"]

_log = get_log("dataflow.tenancy")

_PIN: Final = "dataflow.tenant"


def take_tenant(model: Model, parameters: dict[str, Any], owner: str) -> str | None:
    """Take the tenant that a node was given by itself.

    Raises:
        FieldValueError: It is none.
    """
    if not model.has_tenants:
        return None
    name = TENANT
    given = parameters.pop(name, None)
    if given is None:
        return None
    if not isinstance(given, str) or not given:
        expected = "the name of a tenant, not empty"
        raise FieldValueError(owner, name, _came(given), expected)
    if model.tenant_field is not None:
        model.field(name).check(given, owner)
    return given


def _came(given: object) -> str:
    return "an empty one" if given == "" else came(given)


def settle_tenant(
    model: Model, envelope: Envelope, parameters: dict[str, Any], *, keeps: bool
) -> None:
    """Decide for whom a message is; what says so is taken from *parameters*.

    Args:
        model: Whose rows.
        envelope: The message; its tenant is set.
        parameters: Those of the node.
        keeps: Whether the tenant is to stand in them.

    Raises:
        TenantRequiredError: Nobody said for whom.
        TenantMismatchError: Two tenants were named.
        TenantScopeError: It would write where it may only read.
    """
    request: Request = envelope.message
    tenant, scope = envelope.tenant, envelope.scope
    if TENANT in parameters:
        given = take_tenant(model, parameters, request.node)
        tenant = tenant or given
        if given is not None and given != tenant:
            raise TenantMismatchError(request.node, TENANT)
    if scope is not None and scope.cross_tenant is not None:
        _check_cross(request, scope.cross_tenant, envelope)
    elif tenant is None:
        raise TenantRequiredError(request.node)
    elif scope is not None and scope.pins is not None:
        _pin(scope.pins, tenant, request)
    envelope.tenant = tenant
    if keeps and tenant is not None and model.tenant_field is not None:
        parameters[model.tenant_field] = tenant


def _pin(pins: dict[Any, Any], tenant: str, request: Request) -> None:
    """Let a run be for one tenant, the first that one of its nodes says."""
    if pins.setdefault(_PIN, tenant) != tenant:
        raise TenantMismatchError(request.node, "the run")


def _check_cross(request: Request, cross: CrossTenant, envelope: Envelope) -> None:
    if request.operation.is_write and not cross.may_write:
        problem = (
            "a cross_tenant block only reads: open it with may_write=True if it is to "
            "write"
        )
        raise TenantScopeError(request.node, problem)
    _log.info(
        "cross_tenant_access",
        node=request.node,
        operation=request.operation.value,
        reason=cross.reason,
        principal=envelope.principal,
        run_id=envelope.run_id,
    )


def tenant_table(table: Table, envelope: Envelope) -> Table:
    """Return *table* as it is for whom a message is."""
    if not isinstance(table, Undecided):
        return table
    if envelope.tenant is not None:
        return table.of(envelope.tenant)
    scope = envelope.scope
    if scope is None or scope.cross_tenant is None:
        raise TenantRequiredError(table.model.name)
    return table.of_all
