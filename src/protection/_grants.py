"""Rules as PostgreSQL holds them itself: rights of a role, and policies for rows.

Rules of this file: what the database cannot know (who asks, and when) is left out, so
that it never refuses what the rules let pass. Text is made of names of models, quoted,
and of values of rules, as literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final, cast

from ..models import Model
from ..sql import ALL, POSTGRESQL, Terms, whole_table
from .judging import Decision, Snapshot

__all__ = ["grants"]

_RIGHTS: Final = {
    "read": "SELECT",
    "create": "INSERT",
    "update": "UPDATE",
    "delete": "DELETE",
}
_PLACE: Final = re.compile(r"\$(\d+)")


def grants(snapshot: Snapshot, role: str) -> list[str]:
    """Return the statements that give *role* its rights, one model after the other."""
    quoted = POSTGRESQL.quote(role)
    return [
        statement
        for model in snapshot.models.values()
        for statement in _of_model(snapshot, model, quoted)
    ]


def _of_model(snapshot: Snapshot, model: Model, role: str) -> Iterator[str]:
    table = POSTGRESQL.quote(model.table)
    yield f"REVOKE ALL ON TABLE {table} FROM {role}"
    for action, right in _RIGHTS.items():
        decision = snapshot.standing(model.name, action)
        if decision.effect == "deny":
            continue
        columns = _columns(model, action, decision)
        if columns is None:
            yield f"GRANT {right} ON TABLE {table} TO {role}"
        elif columns:
            listed = ", ".join(map(POSTGRESQL.quote, columns))
            yield f"GRANT {right} ({listed}) ON TABLE {table} TO {role}"
    yield from _policies(snapshot, model, table, role)


def _columns(model: Model, action: str, decision: Decision) -> Sequence[str] | None:
    """Return the columns that may be named; None for all of them."""
    terms = decision.terms
    if terms is None or action not in ("create", "update"):
        return None
    left = [name for name in model.names if _may_name(terms, action, name)]
    return None if len(left) == len(model.names) else left


def _may_name(terms: Terms, action: str, name: str) -> bool:
    named = frozenset({name})
    return not any(
        guard.is_static
        and guard.refuses
        and guard.is_about(action, named)
        and guard.rows(named) is ALL
        for guard in terms.guards
    )


def _policies(snapshot: Snapshot, model: Model, table: str, role: str) -> Iterator[str]:
    """Yield policies for the rows that may not be read, whoever asks."""
    terms = snapshot.standing(model.name, "read").terms
    if terms is None or terms.visible is ALL:
        return
    statement = whole_table(model, POSTGRESQL).count(terms.visible)
    text = statement.text[statement.text.index(" WHERE ") + len(" WHERE ") :]
    condition = _PLACE.sub(
        lambda place: _literal(statement.parameters[int(place[1]) - 1]), text
    )
    name = POSTGRESQL.quote(f"{model.table}_visible")
    everyone = POSTGRESQL.quote(f"{model.table}_all")
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"CREATE POLICY {everyone} ON {table} TO {role} USING (true)"
    yield (
        f"CREATE POLICY {name} ON {table} AS RESTRICTIVE FOR SELECT TO {role} "
        f"USING ({condition})"
    )


def _literal(value: Any) -> str:  # noqa: ANN401  # as the client takes it
    """Return a value of a rule as a literal."""
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        items = map(_quoted, cast("Sequence[Any]", value))
        text = "{" + ", ".join(items) + "}"
    else:
        text = _text(value)
    # Without a type of its own it takes that of what it is compared with.
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _quoted(value: object) -> str:
    """Return an element of an array in PostgreSQL's own text of arrays."""
    if value is None:
        return "NULL"
    escaped = _text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return str(value.value if isinstance(value, Enum) else value)
