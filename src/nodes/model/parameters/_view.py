"""Which rows there are for a message: those of a tenant, with or without deleted ones.

It is decided on the receiving side, before the node plans; the table it is carried out
on knows no others.
"""

from __future__ import annotations

from typing import Any, Final

from ....messages import Envelope, Operation
from ....models import TENANT, Model
from ....sql import Table, Undecided
from ..._node import Port
from ._options import flag
from ._tenant import settle_tenant, take_tenant, tenant_table

__all__ = ["settle", "take_view", "view_of", "view_ports"]

_INCLUDE: Final = "include_deleted"
_PERMANENT: Final = "permanent"
_WISHES: Final = {
    Operation.READ: _INCLUDE,
    Operation.LIST: _INCLUDE,
    Operation.COUNT: _INCLUDE,
    Operation.AGGREGATE: _INCLUDE,
    Operation.STREAM: _INCLUDE,
    Operation.EXPLAIN: _INCLUDE,
    Operation.BULK_UPDATE: _INCLUDE,
    Operation.DELETE: _PERMANENT,
    Operation.BULK_DELETE: _PERMANENT,
}
"""By which parameter a node sees rows as they are stored, deleted ones too."""


def view_ports(model: Model, operation: Operation) -> list[Port]:
    """Return the ports that say which rows there are."""
    ports: list[Port] = []
    if model.has_tenants:
        ports.append(Port(TENANT, str))
    if model.deleted_field is not None and operation in _WISHES:
        ports.append(Port(_WISHES[operation], bool))
    return ports


def take_view(
    model: Model, operation: Operation, parameters: dict[str, Any], owner: str
) -> None:
    """Take from *parameters* what says which rows there are, and check it.

    Raises:
        FieldValueError: It says it wrongly.
    """
    take_tenant(model, parameters, owner)
    if model.deleted_field is not None and operation in _WISHES:
        flag(parameters, _WISHES[operation], owner, default=False)
        parameters.pop(_WISHES[operation], None)


def settle(
    model: Model, envelope: Envelope, parameters: dict[str, Any], *, keeps_tenant: bool
) -> None:
    """Decide for whom a message is; what says which rows is taken from *parameters*.

    Raises:
        TenancyError: It is for nobody, or for two.
        FieldValueError: It says it wrongly.
    """
    if model.has_tenants:
        scope = envelope.scope
        # What the sender has said, for one call by itself, needs no more than a look.
        if (
            keeps_tenant
            or envelope.tenant is None
            or TENANT in parameters
            or (scope is not None and (scope.cross_tenant or scope.pins is not None))
        ):
            settle_tenant(model, envelope, parameters, keeps=keeps_tenant)
    request = envelope.message
    if model.deleted_field is not None and request.operation in _WISHES:
        name = _WISHES[request.operation]
        flag(parameters, name, request.node, default=False)
        parameters.pop(name, None)


def view_of(table: Table, envelope: Envelope) -> Table:
    """Return *table* with the rows that there are for a message."""
    model = table.model
    if model.deleted_field is not None:
        request = envelope.message
        operation = request.operation
        if operation is Operation.RESTORE or (
            operation in _WISHES and request.parameters.get(_WISHES[operation])
        ):
            table = table.stored
    if type(table) is Undecided and envelope.tenant is not None:
        return table.of(envelope.tenant)  # as `tenant_table` would say, nearly always
    return tenant_table(table, envelope)
