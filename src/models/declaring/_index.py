"""Indexes and unique groups of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import ModelError, nearest
from .._field import Field
from .._foreign_key import ForeignKey
from .._model import Index
from ._options import Options
from .notes import Specifier

__all__ = ["check_group", "collect_indexes", "with_foreign_keys"]


def collect_indexes(
    model: str,
    fields: Mapping[str, Field],
    key: tuple[str, ...],
    specifiers: Mapping[str, Specifier],
    options: Options,
) -> tuple[tuple[Index, ...], tuple[tuple[str, ...], ...]]:
    """Return the indexes and the unique groups, each once and in order.

    What repeats the key, a unique group or an earlier index is left out.

    Raises:
        ModelError: A group names an unknown field, or one that has no order.
    """
    alone = [Index((name,)) for name, each in specifiers.items() if each.is_indexed]
    unique = [index for index in options.indexes if index.is_unique]
    plain = [index for index in (*alone, *options.indexes) if not index.is_unique]
    groups: list[tuple[str, ...]] = [
        *((name,) for name, each in specifiers.items() if each.is_unique),
        *options.uniques,
        *(index.fields for index in unique),
    ]
    for group in (*groups, *(index.fields for index in plain)):
        _check_order(model, group, fields)
    uniques = _once(groups, key)
    indexes: dict[tuple[str, ...], Index] = {}
    for index in unique + [each for each in plain if each.fields not in uniques]:
        if index.fields != key:
            indexes.setdefault(index.fields, index)
    return tuple(indexes.values()), uniques


def with_foreign_keys(
    indexes: tuple[Index, ...],
    uniques: Iterable[tuple[str, ...]],
    foreign_keys: Iterable[ForeignKey],
) -> tuple[Index, ...]:
    """Return the indexes with one for each foreign key that has none.

    Without it, whoever deletes a row reads all rows that might refer to it.

    Args:
        indexes: Those there are.
        uniques: The key and the unique groups, which have indexes of their own.
        foreign_keys: What needs one.
    """
    found = list(indexes)
    groups = [*uniques, *(index.fields for index in indexes)]
    for foreign_key in foreign_keys:
        fields = foreign_key.fields
        if not any({*group[: len(fields)]} == {*fields} for group in groups):
            found.append(Index(fields))
            groups.append(fields)
    return tuple(found)


def check_group(
    model: str, group: tuple[str, ...], fields: Mapping[str, Field]
) -> None:
    """Check that *group* names fields, each once.

    Raises:
        ModelError: It names nothing, the unknown, or a field twice.
    """
    if not group or len(set(group)) != len(group):
        problem = f"a key or an index names each field once, not {list(group)}"
        raise ModelError(model, None, problem)
    for name in group:
        if name not in fields:
            near = nearest(name, tuple(fields))
            hint = f"did you mean {near!r}?" if near else "declare it"
            raise ModelError(model, None, f"there is no field {name!r}: {hint}")


def _check_order(
    model: str, group: tuple[str, ...], fields: Mapping[str, Field]
) -> None:
    check_group(model, group, fields)
    for name in group:
        if fields[name].type.is_compound:
            words = fields[name].type.describe()
            raise ModelError(model, name, f"{words} cannot be unique or indexed")


def _once(
    groups: Iterable[tuple[str, ...]], key: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(group for group in groups if group != key))
