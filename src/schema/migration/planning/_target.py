"""What models ask of a database: a shape, and what a shape does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256

import msgspec

from ....models import Field, Kind, Model
from ....sql import Dialect
from ..._declared import shape_of
from ..._shape import Schema
from ._change import Fill

__all__ = ["Target", "target_of"]


class Target(msgspec.Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """What a database is to become.

    Attributes:
        schema: Its shape.
        renamed_tables: The name before, by the name of a table.
        renamed_columns: The name before, by table and column.
        fills: What rows that are there get, by table and column.
    """

    schema: Schema
    renamed_tables: Mapping[str, str] = {}
    renamed_columns: Mapping[tuple[str, str], str] = {}
    fills: Mapping[tuple[str, str], Fill] = {}

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the shape and of the names before."""
        said = (
            self.schema.plain(),
            sorted(self.renamed_tables.items()),
            sorted(self.renamed_columns.items()),
        )
        return sha256(msgspec.json.encode(said)).hexdigest()


def target_of(models: Iterable[Model], dialect: Dialect) -> Target:
    """Return what *models* ask of a database that speaks *dialect*.

    Those of tables that others made ask for nothing.
    """
    models = tuple(model for model in models if not model.is_foreign)
    now = datetime.now(UTC)
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], str] = {}
    fills: dict[tuple[str, str], Fill] = {}
    for model in models:
        before = model.options.get("renamed_from")
        if before:
            tables[model.table] = before
        for field in model.fields:
            place = model.table, field.column
            if field.renamed_from:
                columns[place] = field.renamed_from
            # Rows that are there are not deleted.
            is_mark = field.name == model.deleted_field
            fill = None if is_mark else _fill(field, now)
            if fill is not None:
                fills[place] = fill
    return Target(
        schema=shape_of(models, dialect),
        renamed_tables=tables,
        renamed_columns=columns,
        fills=fills,
    )


def _fill(field: Field, now: datetime) -> Fill | None:
    """Return what rows get that were stored before the field was there."""
    if field.is_managed and field.type.kind is Kind.DATETIME:
        return Fill(field.type, now)
    if field.is_managed and field.type.kind is Kind.NAIVE_DATETIME:
        return Fill(field.type, now.replace(tzinfo=None))
    if field.default is None or field.default.is_none:
        return None
    if field.default.factory is not None:
        return Fill(field.type, factory=field.default_value)
    return Fill(field.type, field.default.value)
