"""Rules as PostgreSQL holds them itself: rights of a role, and policies for rows.

Rules of this file: what the database cannot know (who asks, and when) is left out, so
that it never refuses what the rules let pass. Text is made of names of models, quoted,
and of values of rules, as literals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ...models import Model
from ...sql import ALL, POSTGRESQL, Terms, inline, qualified
from ..judging import Snapshot
from ._bar import Left

__all__ = ["grants"]

_RIGHTS: Final = {"create": "INSERT", "update": "UPDATE", "delete": "DELETE"}


def grants(snapshot: Snapshot, model: Model, role: str) -> Iterator[str | Left]:
    """Yield the statements that give *role* its rights to the table of a model."""
    table, role = qualified(model, POSTGRESQL), POSTGRESQL.quote(role)
    yield f"REVOKE ALL ON TABLE {table} FROM {role}"
    decisions = {
        action: snapshot.standing(model.name, action) for action in ("read", *_RIGHTS)
    }
    passing = {name for name, each in decisions.items() if each.effect != "deny"}
    if "read" not in passing and passing:
        # Whoever writes looks for rows, and gets them back.
        why = f"who may write to {model.name} needs the right to read"
        yield Left(decisions["read"].rules[0].id, why)
    if passing:
        yield f"GRANT SELECT ON TABLE {table} TO {role}"
    for action, right in _RIGHTS.items():
        marks_as_deleted = action == "update" and model.deleted_field is not None
        if action not in passing and not (marks_as_deleted and "delete" in passing):
            continue
        columns: Sequence[str] | None = None
        if action not in passing:
            columns = _set_by_nodes(model)
        elif action == "update":
            columns = _columns(model, decisions[action].terms)
        if columns is None:
            yield f"GRANT {right} ON TABLE {table} TO {role}"
        elif columns:
            listed = ", ".join(map(POSTGRESQL.quote, columns))
            yield f"GRANT {right} ({listed}) ON TABLE {table} TO {role}"
    yield from _policies(snapshot, model, table, role)


def _columns(model: Model, terms: Terms | None) -> Sequence[str] | None:
    """Return the columns that an update may name; None for all of them.

    What nodes set themselves is left to triggers.
    """
    if terms is None:
        return None
    set_by_nodes = _set_by_nodes(model)
    left = [
        name for name in model.names if name in set_by_nodes or _may_name(terms, name)
    ]
    if len(left) == len(model.names):
        return None
    return left if model.deleted_field or not {*left}.issubset(set_by_nodes) else ()


def _set_by_nodes(model: Model) -> Sequence[str]:
    return [
        each.name
        for each in model.fields
        if each.is_managed or each.name in model.owned
    ]


def _may_name(terms: Terms, name: str) -> bool:
    named = frozenset({name})
    return not any(
        guard.is_static
        and guard.refuses
        and guard.is_about("update", named)
        and guard.rows(named) is ALL
        for guard in terms.guards
    )


def _policies(
    snapshot: Snapshot, model: Model, table: str, role: str
) -> Iterator[str | Left]:
    """Yield policies for the rows that may not be read, whoever asks."""
    terms = snapshot.standing(model.name, "read").terms
    name = POSTGRESQL.quote(f"{model.table}_visible")
    everyone = POSTGRESQL.quote(f"{model.table}_all")
    if terms is None or terms.visible is ALL:
        return
    condition = inline(model, POSTGRESQL, terms.visible)
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS {everyone} ON {table}"
    yield f"DROP POLICY IF EXISTS {name} ON {table}"
    yield f"CREATE POLICY {everyone} ON {table} TO {role} USING (true)"
    yield (
        f"CREATE POLICY {name} ON {table} AS RESTRICTIVE FOR SELECT TO {role} "
        f"USING ({condition})"
    )
