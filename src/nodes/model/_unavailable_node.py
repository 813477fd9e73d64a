"""The node that stands where a table lacks what its kind needs."""

from __future__ import annotations

from typing import Any, NoReturn, final

from ...drivers import Connection
from ...errors import UnavailableNodeError
from ...models import Model
from ...sql import Table
from .._database import Database
from .._node import Port
from ._model_node import Arriving, ModelNode

__all__ = ["UnavailableNode"]


@final
class UnavailableNode(ModelNode[Any]):
    """Has the name of a node and refuses what is asked of it, when it is built.

    Args:
        kind: The kind it stands for.
        model: Whose rows.
        database: Where they are.
        reason: What the table lacks, and what to do.
    """

    def __init__(
        self,
        kind: type[ModelNode[Any]],
        model: Model,
        database: Database,
        reason: str,
    ) -> None:
        self.operation = kind.operation  # type: ignore[misc]  # of its kind, not its class
        self.suffix = kind.suffix  # type: ignore[misc]  # likewise
        self._kind = kind
        self._reason = reason
        super().__init__(model, database)

    def at(self, database: Database, model: Model) -> UnavailableNode:
        """Return the same refusal for another database."""
        return UnavailableNode(self._kind, model, database, self._reason)

    def ports(self) -> list[Port]:
        """Return nothing: it takes anything, to refuse it."""
        return []

    def results(self) -> list[Port]:
        """Return nothing: it gives nothing."""
        return []

    def accepts(self, name: str) -> Port | None:
        """Take any connection, so that the reason is told, not a missing input."""
        return Port(name)

    def offers(self, name: str) -> Port | None:
        """Promise any output, so that the reason is told, not a missing output."""
        return Port(name)

    def refuse_unknown(self, names: object, owner: str) -> None:
        """Let every name pass: none of them is the mistake."""

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> NoReturn:
        """Refuse.

        Raises:
            UnavailableNodeError: Always.
        """
        raise UnavailableNodeError(owner, self.model.name, self._reason)

    async def perform(
        self, connection: Connection, table: Table, plan: object
    ) -> NoReturn:
        """Refuse; nothing gets here, for there are no plans.

        Raises:
            UnavailableNodeError: Always.
        """
        raise UnavailableNodeError(self.name, self.model.name, self._reason)
