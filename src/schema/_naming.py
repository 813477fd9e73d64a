"""Names of the constraints and indexes that a model asks for without naming them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from ..models import Model

__all__ = [
    "names_of",
    "per_tenant",
    "primary_key",
    "unique_constraints",
    "unique_indexes",
]

_MAX_BYTES: Final = 63  # of a name: PostgreSQL, NAMEDATALEN - 1
_DIGEST: Final = 8


def per_tenant(model: Model, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return *fields* with the tenant before them, so that an index serves it too."""
    tenant = model.tenant_field
    return fields if tenant is None else (tenant, *fields)


def primary_key(model: Model) -> tuple[str, ...]:
    """Return the columns of the primary key.

    A generated key tells the rows of all tenants apart: the database makes it.
    """
    return model.key if model.generated_key else per_tenant(model, model.key)


def unique_constraints(model: Model) -> list[tuple[str, ...]]:
    """Return the unique groups that are constraints of the table."""
    groups = [] if model.deleted_field is not None else _unnamed(model)
    if model.tenant_field is not None and model.generated_key is not None:
        # For foreign keys, which name the tenant too.
        groups.insert(0, per_tenant(model, model.key))
    return groups


def unique_indexes(model: Model) -> list[tuple[str, ...]]:
    """Return the unique groups that hold for rows that are not deleted."""
    return [] if model.deleted_field is None else _unnamed(model)


def _unnamed(model: Model) -> list[tuple[str, ...]]:
    """Return the unique groups that have no unique index named by the user."""
    named = {each.fields for each in model.indexes if each.is_unique and each.name}
    return [per_tenant(model, each) for each in model.uniques if each not in named]


def names_of(
    model: Model, groups: Iterable[tuple[str, ...]], suffix: str
) -> dict[tuple[str, ...], str]:
    """Return a name for each group of fields: ``{table}_{fields}_{suffix}``.

    One that PostgreSQL would cut, or that another group has already (``a_b`` and
    ``c`` read like ``a`` and ``b_c``), gets a digest of the group instead of its end.
    """
    names: dict[tuple[str, ...], str] = {}
    for fields in groups:
        name = "_".join((model.table, *fields, suffix))
        if len(name.encode()) > _MAX_BYTES or name in names.values():
            digest = sha256("\0".join((model.table, *fields)).encode()).hexdigest()
            tail = f"_{digest[:_DIGEST]}_{suffix}"
            start = "_".join((model.table, *fields)).encode()[: _MAX_BYTES - len(tail)]
            name = f"{start.decode(errors='ignore')}{tail}"
        names[fields] = name
    return names
