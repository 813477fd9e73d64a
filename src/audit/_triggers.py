"""The triggers that write down what changes in the table of one model.

A trigger sees every write, whatever statement it came by, COPY and cascades too, and its
record is part of the same transaction. Its name holds a digest of what it does, so that
one of another level, or of a model with other fields, is told from it.

Text is made of the model's own names, quoted; a name as a value is a quoted literal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from ..models import Field, Kind, Model
from ..sql import POSTGRESQL, Dialect, Statement
from ._tables import EVENTS, LEAF_SETTING, NOW

__all__ = ["PREFIX", "drop_statement", "trigger_names", "trigger_statements"]

PREFIX: Final = "dataflow_audit_"

_FORM: Final = 1
"""Grows when triggers are written in another way."""

_DIGEST: Final = 12
_ARGUMENTS: Final = 48
"""Fields in one call: SQLite takes 127 arguments, SQLITE_MAX_FUNCTION_ARG."""

_ACTIONS: Final = ("insert", "update", "delete")


def trigger_names(model: Model, dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the triggers that the table of *model* needs."""
    if model.audit == "off" or (model.audit == "summary" and dialect is not POSTGRESQL):
        return ()
    facts = (_FORM, model.name, model.audit, model.names, model.identity, dialect.name)
    digest = sha256(repr(facts).encode()).hexdigest()[:_DIGEST]
    return tuple(f"{PREFIX}{action}_{digest}" for action in _ACTIONS)


def trigger_statements(model: Model, dialect: Dialect) -> list[Statement]:
    """Return the statements that create them."""
    names = trigger_names(model, dialect)
    if not names:
        return []
    write = _postgresql if dialect is POSTGRESQL else _sqlite
    texts: list[str] = []
    for name, action in zip(names, _ACTIONS, strict=True):
        texts += write(model, name, action, dialect)
    return [Statement(text) for text in texts]


def drop_statement(model: Model, name: str, dialect: Dialect) -> Statement:
    """Return what drops a trigger of *model*."""
    quoted = dialect.quote(name)
    if dialect is POSTGRESQL:
        return Statement(f"DROP TRIGGER {quoted} ON {dialect.quote(model.table)}")
    return Statement(f"DROP TRIGGER {quoted}")


# -- PostgreSQL -------------------------------------------------------------------


def _postgresql(model: Model, name: str, action: str, dialect: Dialect) -> list[str]:
    function = dialect.quote(f"{name}_{_short(model.table)}")
    table = dialect.quote(model.table)
    by_row = action == "update" and model.audit != "summary"
    body = _changed_row(model, dialect) if by_row else _all_rows(model, action, dialect)
    image = "OLD TABLE AS rows" if action == "delete" else "NEW TABLE AS rows"
    each = "FOR EACH ROW" if by_row else f"REFERENCING {image} FOR EACH STATEMENT"
    return [
        (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $dataflow$ BEGIN {body}; RETURN NULL; END $dataflow$"
        ),
        (
            f"CREATE TRIGGER {dialect.quote(name)} AFTER {action.upper()} ON {table} "
            f"{each} EXECUTE FUNCTION {function}()"
        ),
    ]


_LEAF: Final = f"NULLIF(current_setting('{LEAF_SETTING}', true), '')"


def _all_rows(model: Model, action: str, dialect: Dialect) -> str:
    head = f"INSERT INTO {EVENTS} (leaf, model, op"
    facts = f"{_LEAF}, {_literal(model.name)}, '{action}'"
    if model.audit == "summary":
        return f"{head}, n) SELECT {facts}, count(*) FROM rows HAVING count(*) > 0"
    side = "old" if action == "delete" else "new"
    key = _key("rows", model, dialect)
    return (
        f"{head}, key, {side}) SELECT {facts}, {key}, row_to_json(rows)::text FROM rows"
    )


def _changed_row(model: Model, dialect: Dialect) -> str:
    key = _key("NEW", model, dialect)
    old, new = "row_to_json(OLD)::text", "row_to_json(NEW)::text"
    if model.audit == "changes":
        old, new = (
            f"(SELECT json_object_agg(o.key, {side}.value)::text FROM "
            "json_each(row_to_json(OLD)) AS o JOIN json_each(row_to_json(NEW)) AS n "
            "ON o.key = n.key WHERE o.value::text IS DISTINCT FROM n.value::text)"
            for side in ("o", "n")
        )
    return (
        "IF OLD IS DISTINCT FROM NEW THEN "
        f"INSERT INTO {EVENTS} (leaf, model, op, key, old, new) "
        f"VALUES ({_LEAF}, {_literal(model.name)}, 'update', {key}, {old}, {new}); "
        "END IF"
    )


def _key(row: str, model: Model, dialect: Dialect) -> str:
    columns = ", ".join(f"{row}.{dialect.quote(name)}" for name in model.identity)
    return f"json_build_array({columns})::text"


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGEST]


# -- SQLite -----------------------------------------------------------------------


def _sqlite(model: Model, name: str, action: str, dialect: Dialect) -> list[str]:
    row = "OLD" if action == "delete" else "NEW"
    columns = ", ".join(f"{row}.{dialect.quote(each)}" for each in model.identity)
    sides, condition = _sides(model, action, dialect)
    return [
        (
            f"CREATE TRIGGER {dialect.quote(name)} AFTER {action.upper()} ON "
            f"{dialect.quote(model.table)} FOR EACH ROW {condition}BEGIN "
            f"INSERT INTO {EVENTS} (leaf, model, op, key, old, new) VALUES ("
            f"(SELECT leaf FROM {NOW}), {_literal(model.name)}, '{action}', "
            f"json_array({columns}), {sides}); END"
        )
    ]


def _sides(model: Model, action: str, dialect: Dialect) -> tuple[str, str]:
    """Return the old and the new image, and when there is something to tell."""
    fields = model.fields
    if action != "update":
        image = _object("OLD" if action == "delete" else "NEW", fields, dialect)
        return (f"{image}, NULL" if action == "delete" else f"NULL, {image}"), ""
    differs = " OR ".join(_differs(field, dialect) for field in fields)
    condition = f"WHEN {differs} "
    if model.audit == "full":
        old, new = (_object(side, fields, dialect) for side in ("OLD", "NEW"))
    else:
        old, new = (_changed(side, fields, dialect) for side in ("OLD", "NEW"))
    return f"{old}, {new}", condition


def _differs(field: Field, dialect: Dialect) -> str:
    name = dialect.quote(field.name)
    return f"OLD.{name} IS NOT NEW.{name}"


def _object(side: str, fields: Sequence[Field], dialect: Dialect) -> str:
    """Return the values of a row as an object."""
    named = [(_literal(each.name), _value(side, each, dialect)) for each in fields]
    if len(named) <= _ARGUMENTS:
        return f"json_object({', '.join(f'{k}, {v}' for k, v in named)})"
    pairs = " UNION ALL ".join(f"SELECT {k} AS k, {v} AS v" for k, v in named)
    return f"(SELECT json_group_object(k, v) FROM ({pairs}))"


def _changed(side: str, fields: Iterable[Field], dialect: Dialect) -> str:
    pairs = (
        f"SELECT {_literal(each.name)} AS k, {_value(side, each, dialect)} AS v "
        f"WHERE {_differs(each, dialect)}"
        for each in fields
    )
    return f"(SELECT json_group_object(k, v) FROM ({' UNION ALL '.join(pairs)}))"


def _value(side: str, field: Field, dialect: Dialect) -> str:
    column = f"{side}.{dialect.quote(field.name)}"
    if field.type.stored_kind is Kind.BYTES:
        return f"iif({column} IS NULL, NULL, hex({column}))"
    if field.type.stored_kind is Kind.FLOAT:
        # As text: JSON has fewer digits, and no infinity.
        return f"iif({column} IS NULL, NULL, printf('%!.17g', {column}))"
    return column


def _literal(text: str) -> str:
    """Return a name as a value in SQL; it holds letters, digits and underscores."""
    return "'" + text.replace("'", "''") + "'"
