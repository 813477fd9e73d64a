"""The shape of a PostgreSQL database: its catalogue, one query per kind of thing.

Everything comes as text or as lists of text, which asyncpg need not ask about first.
Source: PostgreSQL, System Catalogs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from ...drivers import Connection
from ...sql import Statement
from .._shape import (
    Action,
    Check,
    Column,
    EnumType,
    ForeignKey,
    Identity,
    IndexPart,
    Key,
    Schema,
    TableIndex,
    TableShape,
    Unique,
    View,
)
from ._types import ColumnType, field_type

__all__ = ["read_postgresql"]

# Tables, partitioned ones, foreign ones, views and materialized ones; not the parts of
# a partitioned table, nor what belongs to an extension. $1 is a schema, or NULL for
# what plain names mean.
_RELATIONS: Final = """
  SELECT c.oid, c.relname::text AS name, c.relkind::text AS kind,
    CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname::text END AS schema
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_t%'
    AND CASE WHEN $1::text IS NULL THEN pg_table_is_visible(c.oid)
      ELSE n.nspname = $1 END
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid
      AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
"""
_TABLES: Final = f"""
WITH relations AS ({_RELATIONS})
SELECT r.oid::text, r.name, r.kind, r.schema,
  CASE WHEN r.kind IN ('v', 'm') THEN rtrim(trim(pg_get_viewdef(r.oid)), ';') END
FROM relations AS r ORDER BY r.schema NULLS FIRST, r.name
"""
_COLUMNS: Final = f"""
WITH relations AS ({_RELATIONS})
SELECT r.oid::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
  a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text,
  a.attgenerated::text,
  CASE WHEN a.attcollation <> t.typcollation THEN l.collname::text END,
  a.atttypid::text,
  -- A serial column owns the sequence its default asks.
  EXISTS (SELECT FROM pg_depend AS s JOIN pg_class AS q ON q.oid = s.objid
    WHERE s.refobjid = r.oid AND s.refobjsubid = a.attnum AND q.relkind = 'S'
      AND s.classid = 'pg_class'::regclass AND s.deptype = 'a')
FROM relations AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY r.oid, a.attnum
"""
_CONSTRAINTS: Final = f"""
WITH relations AS ({_RELATIONS})
SELECT r.oid::text, k.contype::text, k.conname::text,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ORDER BY u.place),
  pg_get_expr(k.conbin, k.conrelid), k.condeferrable,
  f.relname::text,
  CASE WHEN pg_table_is_visible(f.oid) THEN NULL ELSE n.nspname::text END,
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
    JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number
    ORDER BY u.place),
  k.confdeltype::text, k.confupdtype::text,
  (to_jsonb(i) ->> 'indnullsnotdistinct')::boolean
FROM relations AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
LEFT JOIN pg_class AS f ON f.oid = k.confrelid
LEFT JOIN pg_namespace AS n ON n.oid = f.relnamespace
LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid AND k.contype = 'u'
WHERE k.contype IN ('p', 'u', 'c', 'f') ORDER BY r.oid, k.conname
"""
_INDEXES: Final = f"""
WITH relations AS ({_RELATIONS})
SELECT r.oid::text, x.relname::text, i.indisunique, m.amname::text,
  pg_get_expr(i.indpred, i.indrelid),
  -- The key parts come first, what is included behind them.
  ARRAY(SELECT COALESCE(a.attname::text, pg_get_indexdef(i.indexrelid, u.place::int, true))
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, place)
    LEFT JOIN pg_attribute AS a
      ON a.attrelid = i.indrelid AND a.attnum = u.number AND u.number <> 0
    ORDER BY u.place),
  ARRAY(SELECT (u.number = 0)::int::text
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, place) ORDER BY u.place),
  ARRAY(SELECT (o.bits & 1)::text
    FROM unnest(i.indoption::int2[]) WITH ORDINALITY AS o(bits, place) ORDER BY o.place),
  i.indnkeyatts::int
FROM relations AS r JOIN pg_index AS i ON i.indrelid = r.oid
JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
WHERE NOT EXISTS (SELECT FROM pg_constraint AS k
  WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY r.oid, x.relname
"""
_TYPES: Final = """
SELECT t.oid::text, t.typname::text,
  CASE WHEN pg_type_is_visible(t.oid) THEN NULL ELSE n.nspname::text END,
  t.typtype::text, format_type(t.typbasetype, t.typtypmod), t.typbasetype::text,
  t.typarray::text,
  ARRAY(SELECT e.enumlabel::text FROM pg_enum AS e
    WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, t.typname
"""

# Source: PostgreSQL, pg_constraint.confdeltype; pg_attribute.attidentity.
_ACTIONS: Final[Mapping[str, Action]] = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
_IDENTITIES: Final[Mapping[str, Identity]] = {"a": "always", "d": "by default"}
_VIEWS: Final = frozenset({"v", "m"})

_Row = Sequence[Any]
_ByTable = Mapping[str, list[_Row]]


async def read_postgresql(connection: Connection, schema: str | None) -> Schema:
    """Read what plain names mean, or what is in one schema.

    Raises:
        DriverError: The database could not be read.
    """
    texts = (_TABLES, _COLUMNS, _CONSTRAINTS, _INDEXES)
    statements = [Statement(text, (schema,), returns_rows=True) for text in texts]
    types_asked = Statement(_TYPES, returns_rows=True)
    tables, *rest, types = await connection.run([*statements, types_asked])
    known = _Types(types.rows)
    columns, constraints, indexes = (_by_table(result.rows) for result in rest)
    return Schema(
        dialect="postgresql",
        tables=tuple(
            _table(
                name, where, _Parts(columns[oid], constraints[oid], indexes[oid]), known
            )
            for oid, name, kind, where, _ in tables.rows
            if kind not in _VIEWS
        ),
        views=tuple(
            View(
                name=name,
                schema=where,
                columns=tuple(_column(row, known) for row in columns[oid]),
                definition=definition,
                is_materialized=kind == "m",
            )
            for oid, name, kind, where, definition in tables.rows
            if kind in _VIEWS
        ),
        enums=tuple(known.enums(schema)),
    )


class _Types:
    """Enums and domains, by their object ids."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = {row[0]: row for row in rows}
        self._elements = {row[6]: row[0] for row in rows}

    def enums(self, schema: str | None) -> list[EnumType]:
        """Return the enums that plain names mean, or those of a schema."""
        return [
            EnumType(name=name, labels=tuple(labels), schema=where)
            for _, name, where, kind, *_, labels in self._rows.values()
            if kind == "e" and where == schema
        ]

    def column_type(self, text: str, oid: str) -> ColumnType:
        """Return what a field must know of a type."""
        row = self._rows.get(oid)
        if row is None:
            element = self._rows.get(self._elements.get(oid, ""))
            is_enum = element is not None and element[3] == "e"
            if element is None or is_enum:
                return ColumnType(text, tuple(element[7]) if element else ())
            return ColumnType("")  # a list of a domain
        if row[3] == "e":
            return ColumnType(text, tuple(row[7]))
        return self.column_type(row[4], row[5])


def _by_table(rows: Sequence[_Row]) -> defaultdict[str, list[_Row]]:
    grouped: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(tuple(row)[1:])
    return grouped


class _Parts(NamedTuple):
    """The rows of the catalogue about one table."""

    columns: Sequence[_Row]
    constraints: Sequence[_Row]
    indexes: Sequence[_Row]


def _table(name: str, schema: str | None, parts: _Parts, types: _Types) -> TableShape:
    def of(kind: str) -> list[_Row]:
        return [row for row in parts.constraints if row[0] == kind]

    keys = [Key(tuple(row[2]), row[1]) for row in of("p")]
    return TableShape(
        name=name,
        schema=schema,
        columns=tuple(_column(row, types) for row in parts.columns),
        key=keys[0] if keys else None,
        uniques=tuple(
            sorted(
                (
                    Unique(tuple(row[2]), row[1], nulls_distinct=not row[10])
                    for row in of("u")
                ),
                key=lambda each: each.columns,
            )
        ),
        checks=tuple(Check(unbracketed(row[3]), row[1]) for row in of("c")),
        indexes=tuple(map(_index, parts.indexes)),
        foreign_keys=tuple(
            sorted(
                map(_foreign_key, of("f")), key=lambda each: (each.columns, each.target)
            )
        ),
    )


def _column(row: _Row, types: _Types) -> Column:
    name, type_, not_null, expression, identity, generated, collation, oid, serial = row
    is_serial = serial and not identity and (expression or "").startswith("nextval(")
    return Column(
        name=name,
        type=type_,
        field_type=field_type("postgresql", types.column_type(type_, oid)),
        is_nullable=not not_null,
        default=None if generated or is_serial else expression,
        identity="serial" if is_serial else _IDENTITIES.get(identity),
        generated=unbracketed(expression) if generated else None,
        is_stored=generated == "s",
        collation=collation,
    )


def _index(row: _Row) -> TableIndex:
    name, is_unique, method, where, texts, expressions, descending, count = row
    return TableIndex(
        name=name,
        parts=tuple(
            IndexPart(text, is_expression == "1", is_descending == "1")
            for text, is_expression, is_descending in zip(
                texts[:count], expressions[:count], descending[:count], strict=True
            )
        ),
        is_unique=is_unique,
        where=None if where is None else unbracketed(where),
        included=tuple(texts[count:]),
        method=method,
    )


def _foreign_key(row: _Row) -> ForeignKey:
    _, name, columns, _, is_deferrable, target, schema, others, on_delete, *rest = row
    return ForeignKey(
        columns=tuple(columns),
        target=target,
        target_columns=tuple(others),
        target_schema=schema,
        on_delete=_ACTIONS[on_delete],
        on_update=_ACTIONS[cast("str", rest[0])],
        is_deferrable=is_deferrable,
        name=name,
    )


def unbracketed(text: str) -> str:
    """Take off brackets around the whole of an expression."""
    while text.startswith("(") and text.endswith(")") and _is_closed_last(text):
        text = text[1:-1]
    return text


def _is_closed_last(text: str) -> bool:
    """Whether the first bracket closes with the last sign; quoted ones do not count."""
    depth, quote = 0, ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth == 0:
                return at == len(text) - 1
    return False
