"""The shape that declared models ask of a database, as the database would say it.

What it says is what `_ddl` creates: a table made from a model reads back as the shape
of the model. Whoever changes one of the two changes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..models import Action as OnChange
from ..models import Field, Kind, Model
from ..sql import Dialect, column_type, is_scaled
from ._naming import (
    names_of,
    per_tenant,
    primary_key,
    unique_constraints,
    unique_indexes,
)
from ._shape import (
    Action,
    Column,
    ForeignKey,
    IndexPart,
    Key,
    Schema,
    TableIndex,
    TableShape,
    Unique,
)
from .reading import ColumnType, field_type

__all__ = ["shape_of", "table_shape"]

_SPELLED_OUT: Final = {
    # As format_type() says what `column_type` abbreviates.
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


def shape_of(declared: Iterable[Model], dialect: Dialect) -> Schema:
    """Return the shape of a database that has the tables of *declared* and no more.

    It is read back from a database whose tables were made from the models, exactly.
    """
    tables = (table_shape(model, dialect) for model in declared)
    return Schema(
        dialect=dialect.name, tables=tuple(sorted(tables, key=lambda each: each.name))
    )


def table_shape(model: Model, dialect: Dialect) -> TableShape:
    """Return the shape of the table of one model."""
    named = names_of(model, unique_constraints(model), "key")
    is_rowid = dialect.name == "sqlite" and model.generated_key is not None
    # AUTOINCREMENT stands behind the column, where the constraint is given no name.
    key_name = None if is_rowid else names_of(model, [()], "pkey")[()]
    return TableShape(
        name=model.table,
        columns=tuple(_column(model, field, dialect) for field in model.fields),
        key=Key(primary_key(model), key_name) if model.key else None,
        uniques=tuple(Unique(group, named[group]) for group in sorted(named)),
        indexes=tuple(sorted(_indexes(model, dialect), key=lambda each: each.name)),
        foreign_keys=_foreign_keys(model),
    )


def _column(model: Model, field: Field, dialect: Dialect) -> Column:
    if field.is_generated:
        return _generated(field, dialect)
    type_ = _spelled(column_type(field.type, dialect), dialect)
    # SQLite takes an INTEGER that is the whole key for the number of the row.
    # Source: sqlite.org/lang_createtable.html, "ROWIDs and the INTEGER PRIMARY KEY".
    is_rowid = type_ == "INTEGER" and primary_key(model) == (field.name,)
    return Column(
        name=field.column,
        type=type_,
        field_type=field_type(dialect.name, ColumnType(type_)),
        is_nullable=field.is_nullable,
        identity="rowid" if is_rowid else None,
        collation=_collation(field, dialect),
    )


def _generated(field: Field, dialect: Dialect) -> Column:
    """Return the column of a key whose values the database makes."""
    is_sqlite = dialect.name == "sqlite"
    type_ = "INTEGER" if is_sqlite else column_type(field.type, dialect)
    return Column(
        name=field.column,
        type=type_,
        field_type=field_type(dialect.name, ColumnType(type_)),
        is_nullable=False,
        identity="rowid" if is_sqlite else "by default",
        is_autoincrement=is_sqlite,
    )


def _spelled(type_: str, dialect: Dialect) -> str:
    """Return the name of a type as the database says it."""
    if dialect.name == "sqlite":
        return type_
    bare = type_.removesuffix("[]")
    said = _SPELLED_OUT.get(bare, bare).replace(", ", ",")
    return said + type_[len(bare) :]


def _collation(field: Field, dialect: Dialect) -> str | None:
    if field.type.column is not None:
        return None
    if dialect.name == "sqlite":
        is_text = field.type.kind is Kind.DECIMAL and not is_scaled(field.type)
        return "DECIMAL" if is_text else None
    return "C" if field.type.stored_kind is Kind.STR else None


def _indexes(model: Model, dialect: Dialect) -> Iterator[TableIndex]:
    names = names_of(model, (each.fields for each in model.indexes), "idx")
    for index in model.indexes:
        if index.is_unique and index.name is None:
            continue  # a constraint
        fields = per_tenant(model, index.fields) if index.is_unique else index.fields
        yield TableIndex(
            name=index.name or names[index.fields],
            parts=_parts(model, fields, dialect),
            is_unique=index.is_unique,
            where=_alive(model, dialect) if index.is_unique else None,
        )
    for fields, name in names_of(model, unique_indexes(model), "key").items():
        yield TableIndex(
            name=name,
            parts=_parts(model, fields, dialect),
            is_unique=True,
            where=_alive(model, dialect),
        )


def _parts(
    model: Model, fields: Iterable[str], dialect: Dialect
) -> tuple[IndexPart, ...]:
    return tuple(_part(model.field(name), dialect) for name in fields)


def _alive(model: Model, dialect: Dialect) -> str | None:
    """Return which rows a unique index covers, as the database writes it."""
    if model.deleted_field is None:
        return None
    if dialect.name == "sqlite":
        return f"{dialect.quote(model.deleted_field)} IS NULL"
    return f"{model.deleted_field} IS NULL"


def _part(field: Field, dialect: Dialect) -> IndexPart:
    # In the order of lists, where NULL is the least.
    is_null_first = field.is_nullable and dialect.name == "postgresql"
    return IndexPart(field.column, is_null_first=is_null_first)


def _foreign_keys(model: Model) -> tuple[ForeignKey, ...]:
    own = model.own_relations
    names = names_of(model, (each.foreign_key.fields for each in own), "fkey")
    made = (
        ForeignKey(
            columns=tuple(field.column for field, _ in each.pairs),
            target=each.target.table,
            target_columns=tuple(field.column for _, field in each.pairs),
            on_delete=_ACTIONS[each.foreign_key.on_delete],
            on_update=_ACTIONS[each.foreign_key.on_update],
            name=names[each.foreign_key.fields],
        )
        for each in own
    )
    return tuple(sorted(made, key=lambda each: (each.columns, each.target)))


_ACTIONS: Final[Mapping[OnChange, Action]] = {
    OnChange.NO_ACTION: "NO ACTION",
    OnChange.RESTRICT: "RESTRICT",
    OnChange.CASCADE: "CASCADE",
    OnChange.SET_NULL: "SET NULL",
}
