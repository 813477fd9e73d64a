"""What is recorded on PostgreSQL: triggers that run once for each statement.

Rules of this file:

1. One record holds many rows, field by field: then the database makes it in a tenth of
   the time that storing the rows takes, where one record each took four times as long.
2. An update is told by keys: what was there under one before and after. A row that
   changed its key is one that went, and one that came.
3. What is recorded does not hang on the settings of whoever writes. In the schema of a
   tenant, that is where the record goes, by its name.
4. Personal values are recorded under a leaf only: who named it seals them before the
   transaction commits, see `sealing`. Of others it is recorded that there were some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...models import Field, Kind, Model
from ...sql import POSTGRESQL, qualified
from ._personal import WITHHELD_JSON, anchors_of, seals
from ._tables import LEAF_SETTING, ROWS_IN_RECORD, audit_tables
from ._text import digest, literal, object_text

__all__ = ["key_text", "postgresql_trigger"]

_LEAF: Final = f"NULLIF(current_setting('{LEAF_SETTING}', true), '')"

_SETTINGS: Final = {
    Kind.TIMEDELTA: "intervalstyle = 'postgres'",
    Kind.BYTES: "bytea_output = 'hex'",
    Kind.FLOAT: "extra_float_digits = 1",
}
"""What the text of a value hangs on. See rule 3; others are the same in JSON."""

_SPANS: Final = frozenset(
    {Kind.DATE, Kind.TIME, Kind.DATETIME, Kind.NAIVE_DATETIME, Kind.TIMEDELTA}
)
_TEXTS: Final = frozenset({Kind.STR, Kind.ENUM, Kind.LITERAL, *_SPANS, Kind.BYTES})
_COMPARED: Final = frozenset(
    {Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.BOOL, Kind.BYTES, Kind.UUID, *_SPANS}
)
"""Kinds with an equality; ``json`` and some types that are read as text have none."""

_LONG: Final = 1000
"""Bytes above which a key is known by its hash: an item of an index is a third of a
page at most. Source: PostgreSQL, GIN, `GinMaxItemSize`."""

_quote = POSTGRESQL.quote


def postgresql_trigger(model: Model, name: str, action: str) -> list[str]:
    """Return the statements that create the trigger of *model* for an action."""
    function = _quote(f"{name}_{digest(model.table)}")
    if model.schema is not None:
        function = f"{_quote(model.schema)}.{function}"
    images = {
        "insert": "NEW TABLE AS rows",
        "delete": "OLD TABLE AS rows",
        "update": "OLD TABLE AS before NEW TABLE AS rows",
    }
    body = _body(model, action)
    return [
        (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
            f"{_settings(model)} AS $dataflow$ BEGIN {body}; RETURN NULL; END $dataflow$"
        ),
        (
            f"CREATE TRIGGER {_quote(name)} AFTER {action.upper()} ON "
            f"{qualified(model, POSTGRESQL)} REFERENCING {images[action]} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {function}()"
        ),
    ]


def key_text(model: Model, values: Iterable[str]) -> str:
    """Return an expression for the text by which a row is found.

    It begins with a digest of the model: others may have the same keys.

    Args:
        model: What the row is.
        values: Expressions for the values of `Model.identity`, of their types.
    """
    fields = [model.field(name) for name in model.identity]
    parts = [_key_part(field, x) for field, x in zip(fields, values, strict=True)]
    key = parts[0]
    if len(parts) > 1:
        key = f"json_build_array({', '.join(parts)})::text"
    if any(field.type.stored_kind in _TEXTS for field in fields):
        key = f"CASE WHEN octet_length({key}) > {_LONG} THEN md5({key}) ELSE {key} END"
    return f"{literal(digest(model.name)[:6] + ':')} || {key}"


def _key_part(field: Field, value: str) -> str:
    kind = field.type.stored_kind
    if kind in _SPANS:
        return f"extract(epoch FROM {value})::text"
    if kind is Kind.BYTES:
        return f"encode({value}, 'hex')"
    if kind is Kind.FLOAT:
        return f"encode(float8send({value}), 'hex')"
    return f"{value}::text"


def _settings(model: Model) -> str:
    types = [field.type for field in model.fields]
    kinds = {each.stored_kind for each in types}
    kinds |= {each.element.stored_kind for each in types if each.element is not None}
    if model.audit == "summary":
        return ""
    return "".join(f" SET {text}" for kind, text in _SETTINGS.items() if kind in kinds)


def _body(model: Model, action: str) -> str:
    head = f"INSERT INTO {audit_tables(model.schema).records} (leaf, model, op, n"
    if model.audit == "summary":
        return (
            f"{head}) SELECT {_facts(model)}, '{action}', count(*) FROM rows "
            "HAVING count(*) > 0"
        )
    if action == "update":
        return _update(model, head)
    columns = [_quote(name) for name in model.names]
    members = [
        (field.name, _unless_withheld(model, field, "json_agg({})", column))
        for field, column in zip(model.fields, columns, strict=True)
    ]
    key = key_text(model, [_quote(name) for name in model.identity])
    side = "old" if action == "delete" else "new"
    return (
        f"{head}, keys, {side}) SELECT {_facts(model)}, '{action}', count(*), "
        f"array_agg({key}), {object_text(members)} FROM (SELECT *, (row_number() OVER () "
        f"- 1) / {ROWS_IN_RECORD} AS dataflow_part FROM rows) AS r "
        "GROUP BY dataflow_part ORDER BY dataflow_part"
    )


def _update(model: Model, head: str) -> str:
    """Return what records an update, by places: see rule 2."""
    pairs = [(field, f"o{n}", f"n{n}") for n, field in enumerate(model.fields)]
    fields = ", ".join(
        f"o.{_quote(f.name)} AS {old}, n.{_quote(f.name)} AS {new}"
        for f, old, new in pairs
    )
    differs = {f.name: _differs(f, old, new) for f, old, new in pairs}
    plain = [
        _differs(f, f"o.{_quote(f.name)}", f"n.{_quote(f.name)}") for f, *_ in pairs
    ]
    first = _quote(model.identity[0])
    same = " AND ".join(f"o.{_quote(k)} = n.{_quote(k)}" for k in model.identity)
    names = {f.name: (old, new) for f, old, new in pairs}
    keys = [f"coalesce({', '.join(reversed(names[name]))})" for name in model.identity]
    old = object_text(
        (f.name, _by_place(model, f, o, _told(model, f, "delete", differs[f.name])))
        for f, o, _ in pairs
    )
    new = object_text(
        (f.name, _by_place(model, f, n, _told(model, f, "insert", differs[f.name])))
        for f, _, n in pairs
    )
    return (
        f"{head}, keys, old, new) SELECT {_facts(model)}, CASE WHEN min(op) = max(op) "
        "THEN min(op) ELSE json_agg(op ORDER BY place)::text END, count(*), "
        f"array_agg({key_text(model, keys)} ORDER BY place), {old}, {new} FROM ("
        f"SELECT CASE WHEN n.{first} IS NULL THEN 'delete' WHEN o.{first} IS NULL THEN "
        f"'insert' ELSE 'update' END AS op, row_number() OVER () - 1 AS place, {fields} "
        f"FROM before AS o FULL JOIN rows AS n ON {same} WHERE {' OR '.join(plain)}) AS r "
        f"GROUP BY place / {ROWS_IN_RECORD} ORDER BY place / {ROWS_IN_RECORD}"
    )


def _facts(model: Model) -> str:
    return f"{_LEAF}, {literal(model.name)}"


def _told(model: Model, field: Field, alone: str, differs: str) -> str:
    """Return when a value is recorded; *alone* is what has it and no other side."""
    is_always = model.audit == "full" or field.name in anchors_of(model)
    changed = "true" if is_always else differs
    return f"op = '{alone}' OR op = 'update' AND {changed}"


def _by_place(model: Model, field: Field, column: str, condition: str) -> str:
    place = f"place % {ROWS_IN_RECORD}"
    made = f"json_object_agg({place}, {{}}) FILTER (WHERE {condition})"
    return f"coalesce({_unless_withheld(model, field, made, column)}, '{{}}')"


def _unless_withheld(model: Model, field: Field, made: str, column: str) -> str:
    """Return the text of what is made of a column; see rule 4."""
    plain = made.replace("{}", column, 1)
    if field.marks.pii is None or not seals(model):
        return f"{plain}::text"
    left_out = made.replace("{}", f"{literal(WITHHELD_JSON)}::json", 1)
    return f"CASE WHEN {_LEAF} IS NULL THEN {left_out} ELSE {plain} END::text"


def _differs(field: Field, old: str, new: str) -> str:
    if field.type.stored_kind in _COMPARED:
        return f"{old} IS DISTINCT FROM {new}"
    return f"{old}::text IS DISTINCT FROM {new}::text"
