"""Which foreign key refused a write, as far as model and database tell together.

Rules of this file: PostgreSQL names fields, those of the row that was to go where one
is referred to; SQLite names nothing, so the rows are looked at, once the write was
undone. Nothing here changes what is stored, and what cannot be found out is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ....drivers import Connection
from ....errors import DriverError, ForeignKeyError, ModelError, TenancyError
from ....messages import Operation
from ....models import Action, Model, Relation
from ....sql import (
    ALL,
    And,
    Compare,
    Comparison,
    Filter,
    Table,
    Undecided,
    related,
    table_of,
)

__all__ = ["Attempt", "explained", "named"]

_DELETES = frozenset({Operation.DELETE, Operation.BULK_DELETE})
_CREATES = frozenset({Operation.CREATE, Operation.BULK_CREATE})
_REFUSING = frozenset({Action.NO_ACTION, Action.RESTRICT})


class Attempt(msgspec.Struct, frozen=True, eq=False):
    """What was refused.

    Attributes:
        model: Whose rows were to be written.
        operation: By what.
        values: The new values by name, as far as they are known.
        where: Which rows were to be changed, or None.
    """

    model: Model
    operation: Operation
    values: Mapping[str, Any] = {}
    where: Filter | None = None


def named(error: ForeignKeyError, attempt: Attempt) -> ForeignKeyError:
    """Return *error* with the foreign key, if only one can have refused."""
    try:
        suspects = [each for each in _suspects(attempt) if _fits(each, error)]
    except ModelError:  # of a relation that nobody used yet
        return error
    if len(suspects) > 1:
        suspects = [each for each in suspects if _is_named(each, error.constraint)]
    # A deletion may also be refused by what refers to rows that go with it.
    is_sure = bool(error.fields) or attempt.operation not in _DELETES
    return _told(error, suspects[0]) if is_sure and len(suspects) == 1 else error


async def explained(
    connection: Connection, table: Table, error: ForeignKeyError, attempt: Attempt
) -> ForeignKeyError:
    """Return *error* with the foreign key; looks at the rows where it must.

    If cancelled, nothing is changed. It raises nothing: what goes wrong here leaves
    the error as it is.
    """
    found = named(error, attempt)
    if found.target or error.fields:
        return found
    try:
        for relation in _suspects(attempt):
            if await _is_broken(connection, table, relation, attempt):
                return _told(error, relation)
    except (DriverError, ModelError, TenancyError):
        pass
    return error


def _suspects(attempt: Attempt) -> list[Relation]:
    """Return the relations whose foreign keys may have refused."""
    relations = attempt.model.relations.values()
    own = [each for each in relations if each.is_own]
    others = [each for each in relations if not each.is_own]
    if attempt.operation in _CREATES:
        return own
    if attempt.operation in _DELETES:
        return [each for each in others if each.foreign_key.on_delete in _REFUSING]
    changed = attempt.values.keys()
    back = [
        each
        for each in others
        if each.foreign_key.on_update in _REFUSING
        # A bulk node does not say what changed.
        and (not changed or any(field.name in changed for field, _ in each.pairs))
    ]
    return [*own, *back]


def _fits(relation: Relation, error: ForeignKeyError) -> bool:
    """Whether what the database says speaks of *relation*; it may say nothing."""
    if not error.fields:
        return True
    holder = relation.source if relation.is_own else relation.target
    # Both sides are told by the fields of the row that was to be written.
    fields = {field.name for field, _ in relation.pairs}
    return error.table == holder.table and {*error.fields} == fields


def _is_named(relation: Relation, constraint: str) -> bool:
    return constraint.endswith(f"_{'_'.join(relation.foreign_key.fields)}_fkey")


def _told(error: ForeignKeyError, relation: Relation) -> ForeignKeyError:
    sides: Sequence[Model] = (relation.source, relation.target)
    holder, target = sides if relation.is_own else reversed(sides)
    told = ForeignKeyError(
        holder.table,
        relation.foreign_key.fields,
        error.code,
        error.constraint,
        target.table,
        not relation.is_own,
    )
    told.__cause__ = error.__cause__
    return told


async def _is_broken(
    connection: Connection, table: Table, relation: Relation, attempt: Attempt
) -> bool:
    """Whether the rows that are there are why the foreign key refused."""
    if relation.is_own:
        given = {**attempt.values, **table.fixed}
        values = [given.get(own.name) for own, _ in relation.pairs]
        if None in values:
            return False
        pairs = zip(relation.pairs, values, strict=True)
        where: Filter = And(
            tuple(Compare(key, Comparison.EQ, value) for (_, key), value in pairs)
        )
        return not await _count(connection, table, relation.target, where)
    if attempt.where is None:
        return False
    where = And((attempt.where, related(relation, ALL)))
    return bool(await _count(connection, table, relation.source, where))


async def _count(
    connection: Connection, table: Table, model: Model, where: Filter
) -> int:
    """Count rows of *model* that there are for whom *table* is."""
    other = table_of(model, table.dialect)
    if isinstance(other, Undecided):
        other = other.of(next(iter(table.fixed.values()), ""))
    (result,) = await connection.run((other.count(where),))
    return int(result.rows[0][0])
