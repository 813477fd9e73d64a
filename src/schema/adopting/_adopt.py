"""From the shape of a table to a model of it.

Rules of this file: the table is taken as it is. A column that no field can hold is left
out and said; what its absence makes impossible is refused with the reason. Of several
things that could be the key, the first of these is: the primary key, then the smallest
unique group without NULL. A model without a key lists, counts and creates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from ...messages import Operation
from ...models import Default, Field, Index, Kind, Model
from .._shape import Column, TableShape, View

__all__ = ["Adopted", "adopt"]

_WRITES: Final = tuple(
    each for each in Operation if each.is_write and each is not Operation.SQL
)
_INSERTS: Final = (
    Operation.CREATE,
    Operation.UPSERT,
    Operation.BULK_CREATE,
    Operation.BULK_UPSERT,
)
_BY_KEY: Final = (
    Operation.READ,
    Operation.UPDATE,
    Operation.DELETE,
    Operation.UPSERT,
    Operation.BULK_UPDATE,
    Operation.BULK_DELETE,
    Operation.BULK_UPSERT,
)
_MANAGED: Final = ("created_at", "updated_at")


class Adopted(msgspec.Struct, frozen=True):
    """A model of a table that others made.

    Attributes:
        model: The model; None if no column of the table can be a field.
        left_out: Why columns are no fields of it, by their names.
    """

    model: Model | None
    left_out: dict[str, str]


def adopt(table: TableShape | View, name: str) -> Adopted:
    """Return a model of *table*, called *name*."""
    mapped = [each for each in table.columns if each.field_type is not None]
    left_out = {
        each.name: f"no field holds a {each.type}" if each.type else "it has no type"
        for each in table.columns
        if each.field_type is None
    }
    if not mapped:
        return Adopted(None, left_out)
    return Adopted(_model(table, name, mapped, left_out), left_out)


def _model(
    table: TableShape | View,
    name: str,
    mapped: list[Column],
    left_out: dict[str, str],
) -> Model:
    fields = {each.name: _field(name, each) for each in mapped}
    key = _key(table, fields) if isinstance(table, TableShape) else ()
    made = _made_key(table, key) if isinstance(table, TableShape) else None
    for each in key:
        fields[each] = msgspec.structs.replace(
            fields[each],
            is_key=True,
            is_generated=each == made,
            is_nullable=False,
            is_defaulted=fields[each].is_defaulted and each != made,
            default=None,
        )
    for each in _MANAGED:
        fields.update(_managed(fields.get(each), each))
    uniques = _uniques(table, fields, key)
    alone = {group[0] for group in uniques if len(group) == 1}
    whole = [
        msgspec.structs.replace(each, is_unique=each.name in alone)
        for each in fields.values()
    ]
    created, updated = (
        each if each in fields and fields[each].is_managed else None
        for each in _MANAGED
    )
    return Model(
        name=name,
        table=table.name,
        fields=tuple(whole),
        key=key,
        python_type=type(name, (), {"__tablename__": table.name}),
        generated_key=made,
        indexes=_indexes(table, fields),
        uniques=uniques,
        created_field=created,
        updated_field=updated,
        is_foreign=True,
        unavailable=_unavailable(table, key, left_out),
    )


def _field(model: str, column: Column) -> Field:
    assert column.field_type is not None, "those are left out"  # noqa: S101
    is_computed = column.generated is not None
    is_defaulted = column.default is not None or column.identity is not None
    has_none = column.is_nullable and not (is_computed or is_defaulted)
    return Field(
        model=model,
        name=column.name,
        type=column.field_type,
        default=Default() if has_none else None,
        is_nullable=column.is_nullable,
        is_defaulted=is_defaulted and not is_computed,
        is_computed=is_computed,
    )


def _key(table: TableShape, fields: dict[str, Field]) -> tuple[str, ...]:
    declared = () if table.key is None else table.key.columns
    if declared and all(_is_key_like(fields.get(name)) for name in declared):
        # SQLite lets NULL into a key that does not forbid it; such rows have no key.
        # Source: sqlite.org/lang_createtable.html, "The PRIMARY KEY".
        return declared
    for group in sorted(_groups(table), key=len):
        found = [fields[name] for name in group if name in fields]
        is_whole = len(found) == len(group)
        if is_whole and all(_is_key_like(e) and not e.is_nullable for e in found):
            return group
    return ()


def _is_key_like(field: Field | None) -> bool:
    if field is None or field.is_computed or field.type.is_compound:
        return False
    return field.type.kind is not Kind.FLOAT


def _groups(table: TableShape) -> Iterable[tuple[str, ...]]:
    """Yield groups of columns that no two rows share."""
    for unique in table.uniques:
        yield unique.columns
    for index in table.indexes:
        if index.is_unique and index.is_plain:
            yield index.columns


def _made_key(table: TableShape, key: tuple[str, ...]) -> str | None:
    """Return the key whose values the database makes, if there is one."""
    if len(key) != 1 or table.by_name[key[0]].identity is None:
        return None
    type_ = table.by_name[key[0]].field_type
    return key[0] if type_ is not None and type_.kind is Kind.INT else None


def _managed(field: Field | None, name: str) -> dict[str, Field]:
    """Return the field as a managed time, where a create would else have to give it."""
    if field is None or field.is_key or not field.is_required:
        return {}
    if field.type.kind is not Kind.DATETIME:
        return {}
    return {name: msgspec.structs.replace(field, is_managed=True)}


def _uniques(
    table: TableShape | View, fields: dict[str, Field], key: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    if isinstance(table, View):
        return ()
    groups = [*_groups(table)]
    if table.key is not None and table.key.columns != key:
        groups.append(table.key.columns)
    kept = (group for group in groups if group != key and _has_all(fields, group))
    return tuple(dict.fromkeys(kept))


def _indexes(table: TableShape | View, fields: dict[str, Field]) -> tuple[Index, ...]:
    if isinstance(table, View):
        return ()
    return tuple(
        Index(each.columns, each.name, each.is_unique)
        for each in table.indexes
        if each.is_plain and _has_all(fields, each.columns)
    )


def _has_all(fields: dict[str, Field], names: Iterable[str]) -> bool:
    return all(name in fields for name in names)


def _unavailable(
    table: TableShape | View, key: tuple[str, ...], left_out: dict[str, str]
) -> dict[str, str]:
    refused: dict[str, str] = {}
    if isinstance(table, View):
        reason = f"{table.name} is a view: write to the tables behind it"
        refused.update(dict.fromkeys(_WRITES, reason))
    missing = [each for each in table.columns if each.name in left_out]
    required = [each.name for each in missing if not each.is_made]
    if required:
        reason = f"an insert must give {required[0]}, and {left_out[required[0]]}"
        refused.update(dict.fromkeys(_INSERTS, f"{reason}: use AsyncSQLDatabaseNode"))
    if not key:
        reason = (
            f"{table.name} has no key that names one row: list and filter its rows, "
            "or give the table a primary key"
        )
        for operation in _BY_KEY:
            refused.setdefault(operation, reason)
    return refused
