"""Tell what became of one row."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, final

import msgspec

from ....audit import Version, history_of, key_statement, unsealed
from ....drivers import Connection
from ....errors import FieldValueError
from ....messages import Operation
from ....models import Model
from ....sql import Table
from ..._database import Database
from ..._node import Port
from .._model_node import Arriving, ModelNode
from .._options import came
from .._target import TargetReader, target_ports

__all__ = ["HistoryNode"]


_RECORDS: Final = 32
"""Records that are read at once."""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Of which row, and until when."""

    key: dict[str, Any]
    until: datetime | None


@final
class HistoryNode(ModelNode[Plan]):
    """Replies with the changes of one row, the first one first; for direct calls only.

    With ``until`` it replies with the row as it was at that time, too.
    """

    operation = Operation.HISTORY
    suffix = "HistoryNode"

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        self._targets = TargetReader(model)

    @classmethod
    def suits(cls, model: Model) -> bool:
        """Whether values are recorded."""
        return model.audit in {"changes", "full"}

    def ports(self) -> list[Port]:
        """Return what names the row, and the time."""
        return [*target_ports(self.model), Port("until", datetime)]

    def results(self) -> list[Port]:
        """Return the changes, and the row."""
        return [Port("versions", list), Port("record", dict | None)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return the key, which must be told, and the time."""
        self.refuse_unknown(parameters, owner)
        until = parameters.pop("until", None)
        if until is not None and not isinstance(until, datetime):
            raise FieldValueError(owner, "until", came(until), "a datetime")
        if until is not None and until.tzinfo is None:
            expected = "a datetime with a timezone"
            raise FieldValueError(owner, "until", "one without", expected)
        target = self._targets.read(parameters, owner, arriving)
        if target.key is None:
            raise FieldValueError(owner, "filter", "a filter", "the key of one row")
        return Plan(target.key, until)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Read what is recorded of the row."""
        key = {**plan.key, **table.fixed}
        statement = key_statement(self.model, table.dialect, key)
        versions: list[Version] = []
        # A record holds many rows: all of them at once might be large.
        async with aclosing(connection.stream(statement, batch=_RECORDS)) as records:
            async for rows in records:
                versions += history_of(self.model, table.dialect, rows)
        versions = await unsealed(
            connection, table.dialect, self.model, versions, self.database.masters
        )
        return {"versions": versions, "record": _as_of(versions, plan.until)}


def _as_of(versions: list[Version], until: datetime | None) -> dict[str, Any] | None:
    """Return the row as it was then; None if it was not there."""
    record: dict[str, Any] | None = None
    for version in versions:
        if until is not None and version.at is not None and version.at > until:
            break
        if version.new is None:
            record = None
        elif version.action == "insert" or record is None:
            record = dict(version.new)
        else:
            record = {**record, **version.new}
    return None if record is None else dict(record)
