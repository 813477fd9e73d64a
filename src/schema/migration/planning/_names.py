"""Which names of constraints and indexes are ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from ..._shape import Schema, TableShape

__all__ = ["default_names", "names_in"]

_MAX_BYTES = 63  # of a name: PostgreSQL, NAMEDATALEN - 1


def default_names(table: TableShape) -> frozenset[str]:
    """Return the names in *table* that this package, or PostgreSQL, would choose."""
    return frozenset(
        name
        for name, columns, suffix in _named(table)
        if name and _is_default(name, table.name, columns, suffix)
    )


def names_in(schema: Schema) -> frozenset[str]:
    """Return the names of all constraints and indexes."""
    tables = schema.tables
    return frozenset(name for each in tables for name, *_ in _named(each) if name)


def _named(table: TableShape) -> Iterator[tuple[str | None, Sequence[str], str]]:
    if table.key:
        yield table.key.name, (), "pkey"
    for unique in table.uniques:
        yield unique.name, unique.columns, "key"
    for index in table.indexes:
        yield index.name, index.columns, "idx"
        yield index.name, index.columns, "key"
    for foreign_key in table.foreign_keys:
        yield foreign_key.name, foreign_key.columns, "fkey"


def _is_default(name: str, table: str, columns: Sequence[str], suffix: str) -> bool:
    plain = "_".join((table, *columns, suffix))
    if name == plain:
        return True
    # As `dataflow.schema._naming` makes one that would be too long, or is taken.
    digest = sha256("\0".join((table, *columns)).encode()).hexdigest()[:8]
    return name.endswith(f"_{digest}_{suffix}") and len(name.encode()) <= _MAX_BYTES
