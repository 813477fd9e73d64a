"""From two shapes to a plan."""

from __future__ import annotations

from collections.abc import Collection

from ...drivers import Connection
from ...sql import Dialect
from .._shape import Schema
from ._step import Plan
from .applying import look, weigh
from .planning import Difference, Facts, Target, diff
from .writing import postgresql_steps, sqlite_steps

__all__ = ["make_plan", "plan_for"]


def make_plan(
    actual: Schema,
    target: Target,
    facts: Facts,
    *,
    drops: Collection[str] = (),
    known: Collection[str] = (),
) -> Plan:
    """Return what makes *target* of *actual*, step by step; pure.

    Args:
        actual: The database as it is.
        target: What it is to become.
        facts: What else is known of the database.
        drops: Tables to drop, and columns, as ``table.column``, that are dropped
            rather than renamed.
        known: Constraints and indexes that models asked for before.
    """
    difference = diff(actual, target, drops=drops, known=known)
    return _written(actual.dialect, difference, facts)


async def plan_for(
    connection: Connection,
    dialect: Dialect,
    target: Target,
    *,
    drops: Collection[str] = (),
    known: Collection[str] = (),
) -> Plan:
    """Look at the database and return what makes *target* of it.

    Raises:
        DriverError: The database could not be read.
    """
    actual = await look(connection, dialect)
    difference = diff(actual, target, drops=drops, known=known)
    facts = await weigh(connection, dialect, difference.touched)
    return _written(actual.dialect, difference, facts)


def _written(dialect: str, difference: Difference, facts: Facts) -> Plan:
    write = sqlite_steps if dialect == "sqlite" else postgresql_steps
    steps, problems = write(difference.changes, difference.renamed, facts)
    return Plan(
        dialect=dialect,
        steps=tuple(steps),
        problems=(*difference.problems, *problems),
        notes=difference.notes,
    )
