"""The keys of persons, in the database: made, found, wrapped anew and deleted.

Rules of this file:

1. A key is looked up in the transaction that uses it, and kept by nobody: another
   process may have deleted it. On PostgreSQL it is locked so that it stays till then.
2. A person whose key was deleted gets another one, of another number, with the next
   record: what was sealed before stays closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final, final

import msgspec

from ...drivers import Connection
from ...errors import SubjectKeyError
from ...sql import POSTGRESQL, Dialect, Statement
from ..recording import audit_tables
from ._masters import MasterKeys, new_key

__all__ = ["SubjectKeys"]

_CHUNK: Final = 1000
"""Keys that are asked for, or wrapped anew, at once."""

_LIST: Final = {
    "text": ("= ANY($1::text[])", "IN (SELECT value FROM json_each(?1))"),
    "number": ("= ANY($1::bigint[])", "IN (SELECT value FROM json_each(?1))"),
}
_STORE: Final = (
    (
        "INSERT INTO {keys} (subject, master, wrapped) SELECT * FROM "
        "unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (subject) DO NOTHING "
        "RETURNING id, subject"
    ),
    (
        "INSERT INTO {keys} (subject, master, wrapped) SELECT "
        "json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, "
        "'$[2]') FROM json_each(?1) WHERE true ON CONFLICT (subject) DO NOTHING "
        "RETURNING id, subject"
    ),
)


@final
class SubjectKeys:
    """The keys of persons, as one transaction sees them.

    Args:
        connection: In the transaction.
        dialect: Of that.
        masters: Wraps and opens them; None finds and deletes only.
        schema: Where the keys are; None for where plain names lead.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        masters: MasterKeys | None,
        schema: str | None = None,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._masters = masters
        self._is_postgresql = dialect is POSTGRESQL
        self._table = audit_tables(schema).subject_keys

    async def of(self, subjects: Collection[str]) -> dict[str, tuple[int, bytes]]:
        """Return the numbers and keys of persons; who has none gets one.

        Raises:
            SubjectKeyError: A key is wrapped by one that is not known here.
        """
        # In one order everywhere: who waits for a key holds none behind it.
        wanted = sorted(subjects)
        found = await self._known(wanted)
        while missing := [each for each in wanted if each not in found]:
            found |= await self._made(missing)
            # Of others that made them in between.
            left = [each for each in missing if each not in found]
            found |= await self._known(left)
        return found

    async def opened(self, numbers: Iterable[int]) -> dict[int, bytes | None]:
        """Return the keys of these numbers that are there; None for what is locked."""
        found: dict[int, bytes | None] = {}
        told = await self._read("id", "number", sorted(numbers), "")
        for id_, subject, master, wrapped in told:
            masters = self._masters
            key = None if masters is None else masters.unwrap(master, wrapped, subject)
            found[id_] = key
        return found

    async def is_there(self) -> bool:
        """Whether the database has keys of persons at all."""
        text = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?1)"
        if self._is_postgresql:
            text = "SELECT to_regclass($1) IS NOT NULL"
        look = Statement(text, (self._table,), returns_rows=True)
        (found,) = await self._connection.run((look,))
        return bool(found.rows[0][0])

    async def delete(self, subjects: Collection[str]) -> int:
        """Delete the keys of persons; return how many had one."""
        n_deleted = 0
        left = iter(sorted(subjects))
        while chunk := [*islice(left, _CHUNK)]:
            text = f"DELETE FROM {self._table} WHERE subject {self._in('text')}"
            statement = Statement(text, (self._list(chunk),))
            (result,) = await self._connection.run((statement,))
            n_deleted += result.count
        return n_deleted

    async def wrap_anew(self, after: int) -> tuple[int, int] | None:
        """Wrap some keys by the current one that are wrapped by another.

        Args:
            after: Number of the last key that was looked at.

        Returns:
            The number of the last of them, and how many; None where none is left.

        Raises:
            SubjectKeyError: The key that wraps one of them is not known here.
        """
        masters = self._masters
        assert masters is not None, "checked by who calls"  # noqa: S101
        one, two = self._dialect.place(1), self._dialect.place(2)
        lock = " FOR NO KEY UPDATE" if self._is_postgresql else ""
        text = (
            f"SELECT id, subject, master, wrapped FROM {self._table} WHERE id > {one} "
            f"AND master <> {two} ORDER BY id LIMIT {_CHUNK}{lock}"
        )
        statement = Statement(text, (after, masters.current), returns_rows=True)
        (found,) = await self._connection.run((statement,))
        if not found.rows:
            return None
        changes: list[tuple[str, str, int]] = []
        for id_, subject, master, wrapped in found.rows:
            key = _require(masters, master, wrapped, subject)
            changes.append((*masters.wrap(key, subject), id_))
        places = [self._dialect.place(n) for n in (1, 2, 3)]
        update = (
            f"UPDATE {self._table} SET master = {places[0]}, wrapped = {places[1]} "
            f"WHERE id = {places[2]}"
        )
        await self._connection.run((Statement(update, changes, many=True),))
        return changes[-1][2], len(changes)

    async def _known(self, subjects: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        masters = self._masters
        assert masters is not None, "nothing is sealed without"  # noqa: S101
        lock = " FOR KEY SHARE" if self._is_postgresql else ""
        return {
            subject: (id_, _require(masters, master, wrapped, subject))
            for id_, subject, master, wrapped in await self._read(
                "subject", "text", subjects, lock
            )
        }

    async def _made(self, subjects: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        masters = self._masters
        assert masters is not None, "nothing is sealed without"  # noqa: S101
        found: dict[str, tuple[int, bytes]] = {}
        left = iter(subjects)
        while chunk := [*islice(left, _CHUNK)]:
            keys = {each: new_key() for each in chunk}
            wrapped = [masters.wrap(key, each) for each, key in keys.items()]
            rows = [(each, *w) for each, w in zip(chunk, wrapped, strict=True)]
            store = _STORE[0 if self._is_postgresql else 1]
            text = store.format(keys=self._table)
            columns = [*zip(*rows, strict=True)] if self._is_postgresql else [rows]
            parameters = [self._list(each) for each in columns]
            statement = Statement(text, parameters, returns_rows=True)
            (result,) = await self._connection.run((statement,))
            found |= {subject: (id_, keys[subject]) for id_, subject in result.rows}
        return found

    async def _read(
        self, column: str, kind: str, values: Sequence[Any], lock: str
    ) -> list[tuple[int, str, str, str]]:
        found: list[tuple[int, str, str, str]] = []
        left = iter(values)
        while chunk := [*islice(left, _CHUNK)]:
            text = (
                f"SELECT id, subject, master, wrapped FROM {self._table} "
                f"WHERE {column} {self._in(kind)} ORDER BY {column}{lock}"
            )
            statement = Statement(text, (self._list(chunk),), returns_rows=True)
            (result,) = await self._connection.run((statement,))
            found += [(row[0], row[1], row[2], row[3]) for row in result.rows]
        return found

    def _in(self, kind: str) -> str:
        return _LIST[kind][0 if self._is_postgresql else 1]

    def _list(self, values: Sequence[Any]) -> object:
        if self._is_postgresql:
            return list(values)
        return msgspec.json.encode(values).decode()


def _require(masters: MasterKeys, master: str, wrapped: str, subject: str) -> bytes:
    key = masters.unwrap(master, wrapped, subject)
    if key is None:
        raise SubjectKeyError(master, "is not among the keys that are given")
    return key
