"""Sealing what a transaction has recorded of persons, before it commits.

Rules of this file:

1. It is done in the transaction that recorded it: nobody else ever sees it in clear.
   The hash of the leaf is made of what is left, so it holds when a key is gone.
2. Values stay the text that the database made of them: what is opened again is what was
   recorded, to the last digit.
3. So many records at a time as keep the event loop busy for some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

import msgspec

from ...drivers import Connection
from ...models import Model
from ...sql import POSTGRESQL, Dialect, Statement
from ..recording import SEALED, WITHHELD_JSON, anchors_of, audit_tables
from ._columns import Side, places_of, read_side, rows_of
from ._keys import SubjectKeys
from ._masters import MasterKeys
from ._subjects import Subjects, Whose
from ._token import cipher_of, token_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["seal"]

_PAGE: Final = 2
"""Records that are sealed at once: a thousand rows at most, about 20 ms."""

_SIDES: Final = ("old", "new")
_HIDDEN: Final = WITHHELD_JSON.encode()


async def seal(
    connection: Connection,
    dialect: Dialect,
    models: Mapping[str, Model],
    leaf: str,
    masters: MasterKeys | None,
) -> None:
    """Seal the personal values that are recorded under a leaf.

    Args:
        connection: In the transaction that recorded them.
        dialect: Of that.
        models: Those with personal values, by name.
        leaf: Which.
        masters: Wraps the keys; without it the values are left out.

    Raises:
        SubjectKeyError: A person's key is wrapped by one that is not known here.
    """
    sealer = _Sealer(connection, dialect, models, leaf, masters)
    last: int | None = 0
    while last is not None:
        last = await sealer.page(last)


class _Piece:
    """What is personal in one side of a record."""

    def __init__(self, model: Model, side: str, columns: Side) -> None:
        self.model = model
        self.side = side
        self.columns = columns
        personal = [each.name for each in model.personal if each.name in columns]
        self.values: dict[int, dict[str, bytes]] = {}
        for name in personal:
            for place, value in places_of(columns[name]).items():
                self.values.setdefault(place, {})[name] = value
        self._names = personal
        self.whose: dict[int, Whose] = {}

    def text(self, sealed: Mapping[int, bytes]) -> str:
        """Return the side with what is sealed, and marks for what is left out."""
        is_list = _is_list(self.columns, self._names)
        left = self.values.keys() - sealed.keys()
        columns = {n: bytes(c) for n, c in self.columns.items() if n not in self._names}
        for name in self._names if left else ():
            # Of rows that are sealed, nothing is said here.
            at = {p: _HIDDEN for p in left if name in self.values[p]}
            columns[name] = _written(at, is_list=is_list and not sealed)
        if sealed:
            columns[SEALED] = _written(sealed, is_list=is_list and not left)
        parts = (b'"%b":%b' % (n.encode(), c) for n, c in columns.items())
        return (b"{%b}" % b",".join(parts)).decode()


@final
class _Sealer:
    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        models: Mapping[str, Model],
        leaf: str,
        masters: MasterKeys | None,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._models = models
        self._leaf = leaf
        self._masters = masters
        self._subjects = Subjects(connection, dialect, leaf)
        # They are of one transaction, so of one place.
        schema = next((each.schema for each in models.values()), None)
        self._records = audit_tables(schema).records
        self._keys = SubjectKeys(connection, dialect, masters, schema)

    async def page(self, after: int) -> int | None:
        """Seal some records behind one; return the last of them, None where none is."""
        (found,) = await self._connection.run((self._select(after),))
        sides: dict[int, list[str | None]] = {}
        pieces: dict[tuple[int, int], _Piece] = {}
        last = None
        for last, name, *texts in found.rows:
            sides[last] = texts
            for n, text in enumerate(texts):
                if text is not None:
                    piece = _Piece(self._models[name], _SIDES[n], read_side(text))
                    if piece.values:
                        pieces[last, n] = piece
        if pieces:
            sealed = await self._sealed([*pieces.values()])
            for (id_, n), tokens in zip(pieces, sealed, strict=True):
                sides[id_][n] = pieces[id_, n].text(tokens)
            changed = {id_ for id_, _ in pieces}
            await self._store([(*sides[id_], id_) for id_ in sorted(changed)])
        return last if len(found.rows) == _PAGE else None

    def _select(self, after: int) -> Statement:
        names: Any = [*self._models]
        models = "= ANY($3::text[])"
        if self._dialect is not POSTGRESQL:
            names = msgspec.json.encode(names).decode()
            models = "IN (SELECT value FROM json_each(?3))"
        one, two = self._dialect.place(1), self._dialect.place(2)
        text = (
            f"SELECT id, model, old, new FROM {self._records} WHERE leaf = {one} AND "
            f"id > {two} AND model {models} ORDER BY id LIMIT {_PAGE}"
        )
        return Statement(text, (self._leaf, after, names), returns_rows=True)

    async def _store(self, changes: Sequence[tuple[Any, ...]]) -> None:
        one, two, three = (self._dialect.place(n) for n in (1, 2, 3))
        text = f"UPDATE {self._records} SET old = {one}, new = {two} WHERE id = {three}"
        await self._connection.run((Statement(text, changes, many=True),))

    async def _sealed(self, pieces: Sequence[_Piece]) -> list[dict[int, bytes]]:
        """Return the values of each piece sealed, by place."""
        if self._masters is None:
            return [{} for _ in pieces]
        for model in {piece.model.name: piece.model for piece in pieces}.values():
            await self._find_whose(
                model, [each for each in pieces if each.model is model]
            )
        groups = {w for piece in pieces for w in piece.whose.values() if w is not None}
        keys = await self._keys.of({each for group in groups for each in group})
        ciphers: dict[Whose, tuple[AESGCM, list[int]]] = {}
        for group in groups:
            numbered = sorted(keys[each] for each in group)
            cipher = cipher_of([key for _, key in numbered])
            ciphers[group] = (cipher, [number for number, _ in numbered])
        return [_tokens(piece, ciphers) for piece in pieces]

    async def _find_whose(self, model: Model, pieces: Iterable[_Piece]) -> None:
        names = sorted(anchors_of(model))
        at: list[tuple[_Piece, int]] = []
        rows: list[dict[str, Any]] = []
        for piece in pieces:
            told = rows_of(model, piece.columns, names, self._dialect)
            for place, row in told:
                if place in piece.values:
                    at.append((piece, place))
                    rows.append(row)
        found = await self._subjects.of(model, rows)
        for (piece, place), whose in zip(at, found, strict=True):
            piece.whose[place] = whose


def _tokens(
    piece: _Piece, ciphers: Mapping[Whose, tuple[AESGCM, list[int]]]
) -> dict[int, bytes]:
    tokens: dict[int, bytes] = {}
    for place, values in piece.values.items():
        whose = piece.whose.get(place)
        if whose is not None:
            cipher, numbers = ciphers[whose]
            name, side = piece.model.name, piece.side
            tokens[place] = token_of(cipher, numbers, name, side, values)
    return tokens


def _is_list(columns: Side, names: Iterable[str]) -> bool:
    return all(bytes(columns[name]).startswith(b"[") for name in names)


def _written(values: Mapping[int, bytes], *, is_list: bool) -> bytes:
    if is_list:
        return b"[%b]" % b",".join(values[place] for place in sorted(values))
    return b"{%b}" % b",".join(b'"%d":%b' % each for each in values.items())
