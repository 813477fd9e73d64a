"""The base of the nodes that are generated for a model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from ...drivers import Connection
from ...errors import UnknownFieldError
from ...messages import Operation, Request
from ...models import Field, Kind, Model
from ...sql import Table
from .._database import Database
from .._node import Node, Port
from .parameters import take_view, view_ports

__all__ = ["Arriving", "ModelNode", "field_port"]

PlanT = TypeVar("PlanT")

Arriving = Collection[str] | None
"""Names that get their value later; None while a plan is made to be carried out."""


class ModelNode(Node, Generic[PlanT]):
    """One operation on the rows of one model.

    A subclass says which parameters there are (`ports`), turns them into a plan
    (`plan`, pure), and carries a plan out on a connection (`perform`).

    Args:
        model: Whose rows.
        database: Where they are.

    Attributes:
        operation: What it does.
        suffix: What its name adds to the model's.
        has_views: Whether a message may be about some rows only: those of a tenant,
            or those that are not deleted.
        is_recorded: Whether what it changes is audited.
    """

    operation: ClassVar[Operation]
    suffix: ClassVar[str]
    is_self_checking = True
    keeps_tenant: ClassVar[bool] = False
    """Whether `plan` wants to know for whom; every node takes it."""

    @classmethod
    def suits(cls, model: Model) -> bool:
        """Whether *model* has such a node."""
        del model
        return True

    def __init__(self, model: Model, database: Database) -> None:
        self.model = model
        self.database = database
        self.owner = database
        self.name = f"{model.name}{self.suffix}"
        self.is_idempotent = not self.operation.is_write
        # Asked for each message, so decided once.
        self.has_views = model.has_tenants or model.deleted_field is not None
        self.is_recorded = model.audit != "off" and self.operation.is_write
        self._inputs = {port.name: port for port in self.ports()}
        for port in view_ports(model, self.operation):
            self._inputs.setdefault(port.name, port)
        self._outputs = {port.name: port for port in self.results()}

    def __repr__(self) -> str:
        return f"<{self.name} of {self.database!r}>"

    def at(self, database: Database, model: Model) -> ModelNode[PlanT]:
        """Return the same node for another database, where *model* stands for its own."""
        return type(self)(model, database)

    # -- what a kind says -------------------------------------------------------

    @abstractmethod
    def ports(self) -> list[Port]:
        """Return the parameters it takes."""

    @abstractmethod
    def results(self) -> list[Port]:
        """Return what its result holds."""

    @abstractmethod
    def plan(
        self,
        parameters: dict[str, Any],
        owner: str,
        arriving: Arriving = None,
    ) -> PlanT:
        """Check *parameters* and return what `perform` needs; pure.

        Args:
            parameters: By name; may be changed.
            owner: What errors call the node.
            arriving: Names that get their value later: not missing, not checked.
                Unless it is None the plan is for checking only: it may lack what is
                not the sender's, such as defaults.

        Raises:
            ParameterError: A parameter is unknown, missing or wrong.
            FilterError: A filter cannot be understood.
        """

    @abstractmethod
    def perform(
        self, connection: Connection, table: Table, plan: PlanT
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Carry out a plan: all of it, or nothing.

        If cancelled, see `Connection.run`.

        Raises:
            DriverError: The database refused.
        """

    # -- the seam to workflows ---------------------------------------------------

    def accepts(self, name: str) -> Port | None:
        """Return the input of this name."""
        return self._inputs.get(name)

    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs."""
        return tuple(self._inputs)

    def offers(self, name: str) -> Port | None:
        """Return the top-level output of this name."""
        return self._outputs.get(name)

    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(self._outputs)

    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        """Plan with the constants alone and throw the plan away."""
        self.refuse_unknown((*parameters, *sorted(arriving)), where)
        constants = {
            name: value for name, value in parameters.items() if name not in arriving
        }
        take_view(self.model, self.operation, constants, where)
        self.plan(constants, where, arriving)

    def refuse_unknown(self, names: Iterable[str], owner: str) -> None:
        """Raise for the first of *names* that is no input."""
        for name in names:
            if name not in self._inputs:
                raise UnknownFieldError(owner, name, self.inputs())

    def message(self, parameters: dict[str, Any]) -> Request:
        """Make the request; the actor checks it."""
        return Request(
            node=self.name,
            model=self.model.name,
            operation=self.operation,
            parameters=parameters,
        )


_LENIENT = frozenset({Kind.ENUM, Kind.LITERAL, Kind.STRUCT})
"""Kinds whose values may be given as what is stored of them."""


def field_port(field: Field, *, is_required: bool = False) -> Port:
    """Return the port of a field."""
    if field.type.kind in _LENIENT:
        return Port(field.name, is_required=is_required)
    python_type = field.type.python_type
    type_ = python_type | None if field.is_nullable else python_type
    return Port(field.name, type_, is_required)
