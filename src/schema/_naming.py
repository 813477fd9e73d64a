"""Names of the constraints and indexes that a model asks for without naming them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from ..models import Model

__all__ = ["names_of", "unique_constraints"]

_MAX_BYTES: Final = 63  # of a name: PostgreSQL, NAMEDATALEN - 1
_DIGEST: Final = 8


def unique_constraints(model: Model) -> list[tuple[str, ...]]:
    """Return the unique groups that have no unique index named by the user."""
    named = {each.fields for each in model.indexes if each.is_unique and each.name}
    return [fields for fields in model.uniques if fields not in named]


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
