"""Tell what became of one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, TypeAlias, final

import msgspec

from ....audit import Hidden, Version, history_of, key_statement, unsealed
from ....drivers import Connection
from ....errors import FieldValueError
from ....messages import Operation
from ....models import Model
from ....sql import Table
from ..._database import Database
from ..._node import Port
from .._model_node import Arriving, ModelNode
from .._target import TargetReader, target_ports
from ..guards import beside
from ..parameters import came

__all__ = ["HistoryNode"]

Values: TypeAlias = dict[str, Any]

_RECORDS: Final = 32
"""Records that are read at once."""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Of which row, and until when."""

    key: dict[str, Any]
    until: datetime | None


@final
class HistoryNode(ModelNode[Plan]):
    """Replies with the changes of one row, the first one first; for direct calls only.

    With ``until`` it replies with the row as it was at that time, too. What the sender
    may see is judged by what is recorded: a change from or to values that are not for it
    is left out, and so is all of a row that is, or was at its end, not for it.
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
        statement = table.recorded(key_statement(self.model, table.dialect, key))
        versions: list[Version] = []
        # A record holds many rows: all of them at once might be large.
        async with aclosing(connection.stream(statement, batch=_RECORDS)) as records:
            async for rows in records:
                versions += history_of(self.model, table.dialect, rows)
        versions = await unsealed(
            beside(connection),
            table.dialect,
            self.model,
            versions,
            self.database.masters,
        )
        steps = list(_steps(versions))
        if not _is_there(table, steps):
            return {"versions": [], "record": None}
        record = _as_of(steps, plan.until)
        if record is not None:
            record = table.shown(record) if _shows(table, record) else None
        return {"versions": list(_shown(table, steps)), "record": record}


class _Step(msgspec.Struct, frozen=True, eq=False):
    """A change, and all that is known of the row before and after it."""

    version: Version
    before: Values | None
    after: Values | None


def _steps(versions: Iterable[Version]) -> Iterator[_Step]:
    """Yield the changes of a row with what became of it.

    A record of an update may hold no more than what changed.
    """
    record: Values | None = None
    for version in versions:
        old, new = version.old, version.new
        before = None if old is None else {**(record or {}), **old}
        record = None if new is None else {**(before or {}), **new}
        yield _Step(version, before, record)


def _is_there(table: Table, steps: Sequence[_Step]) -> bool:
    """Whether the sender may know of the row as it is now, or was when it went."""
    if not steps:
        return True
    last = steps[-1].after or steps[-1].before or {}
    return _shows(table, last)


def _shows(table: Table, values: Values) -> bool:
    """Whether a row like this is for the sender, by the values that are not sealed."""
    known = {k: v for k, v in values.items() if not isinstance(v, Hidden)}
    return table.shows(known)


def _shown(table: Table, steps: Iterable[_Step]) -> Iterator[Version]:
    """Yield changes between what the sender may see, as far as it may see them."""
    for step in steps:
        sides = (step.before, step.after)
        if all(each is None or _shows(table, each) for each in sides):
            version = step.version
            old, new = (
                None if each is None else table.shown(each)
                for each in (version.old, version.new)
            )
            yield msgspec.structs.replace(version, old=old, new=new)


def _as_of(steps: Iterable[_Step], until: datetime | None) -> Values | None:
    """Return the row as it was then; None if it was not there."""
    record: Values | None = None
    for step in steps:
        at = step.version.at
        if until is not None and at is not None and at > until:
            break
        record = step.after
    return record
