"""What the triggers of a table refuse, and what of the rules they cannot.

Rules of this file:

1. What a trigger refuses the rules refuse too, whoever asks, and whenever. What hangs
   on that, or on somebody's approval, is left to this library.
2. A trigger sees rows, not messages: a field is named where it changes, or where a new
   row holds another value than its default. Fields that nodes set are never named.
3. Where deleted rows are kept, an update of the time of deletion alone is a delete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, final

import msgspec

from ...errors import BlockedError
from ...models import Field, Kind, Model
from ...sql import (
    ALL,
    NEW,
    OLD,
    POSTGRESQL,
    Dialect,
    Filter,
    Guard,
    Leave,
    decide,
    inline_rows,
    is_scaled,
    literal_of,
)
from ..judging import Snapshot
from ..rules import row_columns

__all__ = ["EVENTS", "Bar", "Left", "bars"]

_CREATE: Final = "create"
_UPDATE: Final = "update"
_DELETE: Final = "delete"
EVENTS: Final = {_CREATE: "INSERT", _UPDATE: "UPDATE", _DELETE: "DELETE"}
"""Which statements do what, where deleted rows are not kept."""

_JSON: Final = frozenset({Kind.JSON, Kind.STRUCT, Kind.LIST})
_TRUE: Final = "TRUE"


class Bar(msgspec.Struct, frozen=True):
    """A write that a trigger refuses.

    Attributes:
        event: ``INSERT``, ``UPDATE`` or ``DELETE``: what sets the trigger off.
        action: What that is to the rules: ``create``, ``update`` or ``delete``.
        rule: Id of the rule that refuses it.
        reason: Why there is such a rule, or None.
        when: The text of a condition on the rows ``"old"`` and ``"new"``.
    """

    event: str
    action: str
    rule: str
    reason: str | None
    when: str


class Left(msgspec.Struct, frozen=True):
    """A rule, or a part of it, that stays with this library.

    Attributes:
        rule: Its id.
        why: Why the database cannot hold it.
    """

    rule: str
    why: str


class _UntoldError(Exception):
    """The database cannot tell whether a condition holds."""


def bars(snapshot: Snapshot, model: Model, dialect: Dialect) -> Iterator[Bar | Left]:
    """Yield what triggers refuse of the writes to a model's table."""
    rows = _Rows(model, dialect)
    for action in EVENTS:
        decision = snapshot.standing(model.name, action)
        if decision.effect == "deny":
            rule = decision.rules[0]
            yield from rows.bars(action, rule.id, rule.reason, _TRUE)
            continue
        guards = () if decision.terms is None else decision.terms.guards
        for guard in guards:
            error = guard.hit() if guard.refuses else None
            if not isinstance(error, BlockedError):
                continue
            try:
                when = rows.refused(guard, action)
            except _UntoldError as untold:
                yield Left(error.rule, f"{action} of {model.name}: {untold}")
                continue
            yield from rows.bars(action, error.rule, error.reason, when)
    for field in model.fields:
        for action, mark, reason, when in _marks(field, rows):
            yield Bar(EVENTS[action], action, _mark(mark, field), reason, when)


def _marks(field: Field, rows: _Rows) -> Iterator[tuple[str, str, str, str]]:
    """Yield what the marks of a field refuse: of what, by which mark, why, and when."""
    marks, name = field.marks, field.name
    old, new = rows.old(name), rows.new(name)
    changes = rows.changes(field)
    if marks.is_immutable:
        yield _UPDATE, "immutable", "it keeps its first value", changes
    if marks.is_write_once:
        changes = f"{old} IS NOT NULL AND {changes}"
        yield _UPDATE, "write_once", "it is set once", changes
    if marks.is_never_null:
        reason = "it is never set to None"
        yield _CREATE, "never_null", reason, f"{new} IS NULL"
        goes = f"{new} IS NULL AND {old} IS NOT NULL"
        yield _UPDATE, "never_null", reason, goes


def _mark(mark: str, field: Field) -> str:
    return f"{mark}:{field.model}.{field.name}"


@final
class _Rows:
    """Conditions on the rows of a trigger, as text.

    Args:
        model: What the rows are.
        dialect: In which SQL.
    """

    def __init__(self, model: Model, dialect: Dialect) -> None:
        self._model = model
        self._dialect = dialect
        self._columns = row_columns(model)
        owned = {model.tenant_field, *model.owned}
        # What a sender may name; the rest is set by nodes, or by the database.
        self._named = [
            each
            for each in model.fields
            if not (each.is_managed or each.is_computed or each.name in owned)
        ]

    def old(self, name: str) -> str:
        """Return the column of the row as it was stored."""
        return f'"old".{self._dialect.quote(name)}'

    def new(self, name: str) -> str:
        """Return the column of the row as it is stored now."""
        return f'"new".{self._dialect.quote(name)}'

    def changes(self, field: Field) -> str:
        """Return whether a field changes; None is like None here."""
        return self._differs(field, self.old(field.name), self.new(field.name))

    def _differs(self, field: Field, one: str, other: str) -> str:
        type_ = field.type
        if self._dialect is POSTGRESQL:
            # Some types that are read as JSON or text have no equality.
            is_odd = type_.stored_kind in _JSON or type_.column is not None
            cast = "::text" if is_odd else ""
            return f"{one}{cast} IS DISTINCT FROM {other}{cast}"
        if type_.kind is Kind.DECIMAL and not is_scaled(type_):
            # Others do not know the collation of the column.
            one, other = (f"CAST({each} AS REAL)" for each in (one, other))
            return f"{one} COLLATE BINARY IS NOT {other}"
        return f"{one} IS NOT {other}"

    def bars(
        self, action: str, rule: str, reason: str | None, when: str
    ) -> Iterator[Bar]:
        """Yield what refuses a write by the rows of a condition, see rule 3."""
        name = self._model.deleted_field
        if name is None or action == _CREATE:
            yield Bar(EVENTS[action], action, rule, reason, when)
            return
        marked = f"{self.old(name)} IS NULL AND {self.new(name)} IS NOT NULL"
        if action == _DELETE:
            yield Bar(EVENTS[_DELETE], action, rule, reason, when)
            yield Bar(EVENTS[_UPDATE], action, rule, reason, f"{marked} AND ({when})")
            return
        others = [f"NOT ({self.changes(each)})" for each in self._named]
        alone = " AND ".join((marked, *others))
        yield Bar(EVENTS[_UPDATE], action, rule, reason, f"NOT ({alone}) AND ({when})")

    def refused(self, guard: Guard, action: str) -> str:
        """Return which rows a guard refuses.

        Raises:
            _UntoldError: It hangs on what the database does not know.
        """
        parts = [self._text(guard.when, action)]
        if guard.fields is not None:
            parts.append(self._some_named(guard.fields, action))
        parts += [f"NOT ({self._left(leave, action)})" for leave in guard.unless]
        told = [f"({each})" for each in parts if each != _TRUE]
        return " AND ".join(told) or _TRUE

    def _text(self, part: Filter, action: str) -> str:
        """Return a condition of a rule, which is two-valued."""
        if part is ALL:
            return _TRUE
        missing = {_CREATE: OLD, _DELETE: NEW}.get(action)
        known = {} if missing is None else self._nothing(missing)
        columns = {k: v for k, v in self._columns.items() if k not in known}
        text = inline_rows(self._model, self._dialect, decide(part, known, columns))
        if text is None:
            msg = "only connections of dataflow know what its condition calls"
            raise _UntoldError(msg)
        return text if text in (_TRUE, "FALSE") else f"({text}) IS TRUE"

    def _nothing(self, prefix: str) -> dict[str, Any]:
        return {f"{prefix}{name}": None for name in self._model.names}

    def _some_named(self, names: Iterable[str], action: str) -> str:
        """Return whether one of some fields is named."""
        fields = [each for each in self._model.fields if each.name in names]
        texts: list[str] = []
        for each in fields:
            text = self.changes(each) if action == _UPDATE else self._is_given(each)
            if text is None:
                msg = f"whether {each.name} of a new row was given, or made for it"
                raise _UntoldError(msg)
            texts.append(f"({text})")
        return " OR ".join(texts)

    def _left(self, leave: Leave, action: str) -> str:
        """Return where there is leave to write."""
        parts = [self._text(leave.when, action)]
        if leave.fields is not None and action != _DELETE:
            said: Callable[[Field], str | None] = (
                self.changes if action == _UPDATE else self._is_given
            )
            others = (each for each in self._named if each.name not in leave.fields)
            # What cannot be told counts as left out, see rule 1.
            texts = [text for each in others if (text := said(each)) is not None]
            parts += [f"NOT ({text})" for text in texts]
        return " AND ".join(parts)

    def _is_given(self, field: Field) -> str | None:
        """Return whether a new row holds what a sender must have named; None: unknown."""
        if field.is_generated or field.is_left_out or field.is_managed:
            return None
        default = field.default
        if default is None:
            return _TRUE
        new = self.new(field.name)
        if default.is_none:
            return f"{new} IS NOT NULL"
        if default.factory is not None or field.type.is_compound:
            return None
        value = literal_of(field, default.value, self._dialect)
        return self._differs(field, new, value)
