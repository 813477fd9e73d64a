"""From two shapes to a plan; pure."""

from __future__ import annotations

from collections.abc import Collection

from .._shape import Schema
from ._step import Plan
from .planning import Facts, Target, diff
from .writing import postgresql_steps, sqlite_steps

__all__ = ["make_plan"]


def make_plan(
    actual: Schema,
    target: Target,
    facts: Facts,
    *,
    drops: Collection[str] = (),
    before: Schema | None = None,
) -> Plan:
    """Return what makes *target* of *actual*, step by step.

    Args:
        actual: The database as it is.
        target: What it is to become.
        facts: What else is known of the database.
        drops: Tables to drop, and columns, as ``table.column``, that are dropped
            rather than renamed.
        before: What the migration before this one made, if there was one.
    """
    difference = diff(actual, target, drops=drops, before=before)
    write = sqlite_steps if actual.dialect == "sqlite" else postgresql_steps
    steps, problems = write(difference.changes, difference.renamed, facts)
    return Plan(
        dialect=actual.dialect,
        steps=tuple(steps),
        problems=(*difference.problems, *problems),
        notes=difference.notes,
    )
