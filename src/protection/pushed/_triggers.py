"""Triggers that refuse what the rules refuse, whoever asks.

Rules of this file:

1. They come after the row: then an upsert is judged by what it turned out to be, and
   whatever other triggers made of the row.
2. Their names hang on the table alone, so that new statements replace old ones.
3. Their names begin as all of this library do, so that raw SQL may set them off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

from ...models import Model
from ...sql import POSTGRESQL, SQLITE, Dialect, literal, qualified
from ._bar import EVENTS, Bar

__all__ = ["triggers"]

_PREFIX: Final = "dataflow_guard_"
_MAX_NAME_BYTES: Final = 63
"""PostgreSQL cuts longer names. Source: PostgreSQL, NAMEDATALEN."""

_DIGEST: Final = 8
"""Bytes that stand for a long name."""

_REFUSED: Final = "42501"
"""``insufficient_privilege``. Source: PostgreSQL, Appendix A."""


def triggers(
    model: Model, bars: Sequence[Bar], dialect: Dialect, role: str | None
) -> Iterator[str]:
    """Yield statements that replace the triggers of a table.

    Args:
        model: Whose table.
        bars: What they refuse.
        dialect: In which SQL.
        role: Name of the role that they hold back; None for everybody.
    """
    if dialect is POSTGRESQL:
        yield from _postgresql(model, bars, role)
    else:
        yield from _sqlite(model, bars)


def _said(bar: Bar, model: Model) -> str:
    why = "" if bar.reason is None else f" ({bar.reason})"
    return f"{bar.rule}{why} refused {bar.action} on {model.name}"


def _name(table: str, ending: str) -> str:
    name = f"{_PREFIX}{table}_{ending}"
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    digest = blake2b(table.encode(), digest_size=_DIGEST).hexdigest()
    return f"{_PREFIX}{digest}_{ending}"


# -- SQLite -----------------------------------------------------------------------


def _sqlite(model: Model, bars: Sequence[Bar]) -> Iterator[str]:
    table = SQLITE.quote(model.table)
    for event in EVENTS.values():
        name = SQLITE.quote(_name(model.table, event.lower()))
        yield f"DROP TRIGGER IF EXISTS {name}"
        refusals = [
            f"SELECT RAISE(ABORT, {literal(_said(bar, model), SQLITE)}) WHERE {bar.when};"
            for bar in _of(bars, event)
        ]
        if refusals:
            yield (
                f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW BEGIN\n"
                f"  {_NEXT.join(refusals)}\nEND"
            )


_NEXT: Final = "\n  "


# -- PostgreSQL -------------------------------------------------------------------


def _postgresql(model: Model, bars: Sequence[Bar], role: str | None) -> Iterator[str]:
    quote = POSTGRESQL.quote
    table = qualified(model, POSTGRESQL)
    row, whole = (quote(_name(model.table, each)) for each in ("row", "truncate"))
    inside = "" if model.schema is None else f"{quote(model.schema)}."
    yield f"DROP TRIGGER IF EXISTS {row} ON {table}"
    yield f"DROP TRIGGER IF EXISTS {whole} ON {table}"
    if bars:
        events = [event for event in EVENTS.values() if _of(bars, event)]
        branches = _NEXT.join(_branch(model, bars, event) for event in events)
        yield _function(f"{inside}{row}", role, branches)
        yield (
            f"CREATE TRIGGER {row} AFTER {' OR '.join(events)} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {inside}{row}()"
        )
    deletes = _of(bars, EVENTS["delete"])
    if deletes:
        # Its rows are not looked at.
        yield _function(f"{inside}{whole}", role, _raise(model, deletes[0]))
        yield (
            f"CREATE TRIGGER {whole} BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {inside}{whole}()"
        )


def _of(bars: Sequence[Bar], event: str) -> list[Bar]:
    return [bar for bar in bars if bar.event == event]


def _function(name: str, role: str | None, body: str) -> str:
    lines = [] if role is None else [f"IF {_is_free(role)} THEN RETURN NULL; END IF;"]
    body = _NEXT.join((*lines, body))
    tag = "$dataflow$"
    while tag in body:
        tag = f"${tag[1:-1]}_$"
    # Pinned, so that nobody puts operators of their own in front.
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"SET search_path FROM CURRENT AS {tag}\nBEGIN\n  {body}\n  RETURN NULL;\n"
        f"END {tag}"
    )


def _is_free(role: str) -> str:
    """Return whether a statement comes neither from a role nor from a member of it."""
    name = literal(role, POSTGRESQL)
    return f"{_SUPERUSER} OR NOT pg_catalog.pg_has_role(current_user, {name}, 'USAGE')"


_SUPERUSER: Final = (
    "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
)
"""Who is a member of every role."""


def _branch(model: Model, bars: Sequence[Bar], event: str) -> str:
    refusals = [
        f"IF {bar.when} THEN {_raise(model, bar)} END IF;" for bar in _of(bars, event)
    ]
    return f"IF TG_OP = '{event}' THEN {' '.join(refusals)} END IF;"


def _raise(model: Model, bar: Bar) -> str:
    said = literal(_said(bar, model), POSTGRESQL)
    return f"RAISE EXCEPTION USING ERRCODE = '{_REFUSED}', MESSAGE = {said};"
