"""All that a database can hold of the rules, as statements."""

from __future__ import annotations

from collections.abc import Iterable

from ...sql import POSTGRESQL, Dialect
from ..judging import Snapshot
from ._bar import Bar, Left, bars
from ._grants import grants
from ._left_over import left_over
from ._triggers import triggers

__all__ = ["statements"]

_WRITES = frozenset({"create", "update", "delete"})


def statements(snapshot: Snapshot, dialect: Dialect, role: str | None) -> list[str]:
    """Return statements that have the database hold rules, and comments about the rest.

    Args:
        snapshot: The rules.
        dialect: In which SQL.
        role: Name of the role that the application uses, or None.
    """
    made: list[str] = []
    left = list(left_over(snapshot, dialect, has_role=role is not None))
    for model in snapshot.models.values():
        if not _WRITES.isdisjoint(model.unavailable):
            left.append(Left(model.name, "it is a view, or has no key: see its tables"))
            continue
        found = list(bars(snapshot, model, dialect))
        left += [each for each in found if isinstance(each, Left)]
        if role is not None and dialect is POSTGRESQL:
            given = list(grants(snapshot, model, role))
            left += [each for each in given if isinstance(each, Left)]
            made += [each for each in given if isinstance(each, str)]
        held = [each for each in found if isinstance(each, Bar)]
        made += triggers(model, held, dialect, role)
    return made + list(map(_comment, _once(left)))


def _once(left: Iterable[Left]) -> Iterable[Left]:
    return dict.fromkeys(left)


def _comment(left: Left) -> str:
    # One line: what follows a line's end would be a statement.
    words = " ".join(f"{left.rule}: {left.why}".split())
    return f"-- not held by the database: {words}"
