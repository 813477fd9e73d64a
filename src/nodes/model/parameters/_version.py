"""The version that a sender expects of a row it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ....drivers import Connection, Row
from ....errors import FieldValueError, VersionConflictError
from ....models import Model
from ....sql import Compare, Comparison, Filter, Table
from ..._node import Port
from ._key import key_of
from ._options import came

__all__ = [
    "check_version",
    "check_versions",
    "read_version",
    "take_version",
    "version_ports",
]

_EXPECTED: Final = "expected_version"


def version_ports(model: Model) -> list[Port]:
    """Return the ports that say which version a row must have."""
    name = model.version_field
    if name is None:
        return []
    names = dict.fromkeys((name, _EXPECTED))
    return [Port(each, int | None) for each in names]


def take_version(model: Model, parameters: dict[str, Any], owner: str) -> Filter | None:
    """Take the version that a row must have; None if nobody says.

    Raises:
        FieldValueError: It is none, or there are two.
    """
    name = model.version_field
    if name is None:
        return None
    given = [each for each in (name, _EXPECTED) if parameters.get(each) is not None]
    if len(given) > 1:
        raise FieldValueError(owner, _EXPECTED, "a second version", "one")
    version = parameters.get(given[0]) if given else None
    for each in (name, _EXPECTED):
        parameters.pop(each, None)
    if not given:
        return None
    expected = read_version(version, owner, given[0])
    return Compare(model.field(name), Comparison.EQ, expected)


def read_version(version: object, owner: str, place: str) -> int:
    """Return a version that somebody expects.

    Raises:
        FieldValueError: It is none.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise FieldValueError(owner, place, came(version), "a version, from 1 on")
    return version


async def check_version(
    connection: Connection, table: Table, where: Filter, expected: Filter
) -> None:
    """Look why nothing was changed: the row is not there, or in another version.

    Raises:
        VersionConflictError: It has another one.
    """
    (result,) = await connection.run((table.select(where, limit=1),))
    for row in result.rows:
        assert isinstance(expected, Compare)  # noqa: S101  # `take_version` made it
        raise _conflict(table, table.decode(row), expected.value)


async def check_versions(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    changed: Sequence[Row],
) -> None:
    """Look whether rows were left alone because they have another version.

    Args:
        connection: Where they were to be changed, in a transaction.
        table: Of which rows.
        rows: With the key and the version that was expected of each.
        changed: The keys of those that were changed.

    Raises:
        VersionConflictError: One has another.
    """
    model = table.model
    decode = table.key_codec.decode
    done = Counter(tuple(decode(each).values()) for each in changed)
    for row in rows:
        key = tuple(key_of(model, row).values())
        if done[key]:
            done[key] -= 1
            continue
        look = table.select_each(model.key, [row])
        (result,) = await connection.run((look,))
        for found in map(table.decode, result.rows):
            raise _conflict(table, found, row[str(model.version_field)])


def _conflict(
    table: Table, found: Mapping[str, Any], expected: int
) -> VersionConflictError:
    model = table.model
    version = found[str(model.version_field)]
    return VersionConflictError(model.name, key_of(model, found), expected, version)
