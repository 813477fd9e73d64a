"""A model in one dialect: every statement about its table.

Rules of this file: text is made of the model's own names, quoted, and of
placeholders; values only ever travel as parameters. The text of a statement
depends on its shape alone, so the texts of the plain ones are kept: building a
one-row INSERT costs 0.6 µs instead of 9 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final

import msgspec

from ...errors import TenantMismatchError
from ...models import Field, Model
from .._column import column_type
from .._dialect import POSTGRESQL, Dialect
from .._statement import Result, Statement
from ..aggregates import Groups, count_groups, select_groups
from ..filters import (
    ALL,
    Compare,
    Comparison,
    Compiler,
    Filter,
    Term,
    conjunction,
    parse_order,
    references,
)
from ._arithmetic import Arithmetic, arithmetic_text
from ._array_statements import ArrayStatements
from ._clauses import Clauses
from ._page import Page
from ._row import RowCodec

__all__ = ["CREATED", "Table"]

CREATED: Final = "__created"
"""Name of the column that says whether an upsert inserted (PostgreSQL only)."""

Admit = Callable[[frozenset[str] | None, frozenset[str] | None], None]

_SHAPES: Final = 512
"""Texts kept per table and kind of statement, as many as a driver prepares."""

_FEW_VALUES: Final = 256
"""Values in a list that is as quick as one row: 10 us to fetch and decode."""


class Table:
    """Statements about the table of one model.

    Args:
        model: What the rows are.
        dialect: In which SQL.

    Attributes:
        key_order: The order by key.
        merges: Whether one statement may carry out many of the same shape.
        arrays: Statements that do; for PostgreSQL only.
    """

    def __init__(self, model: Model, dialect: Dialect) -> None:
        self.model = model
        self.dialect = dialect
        self.key_order = parse_order(None, model)
        self._clauses = Clauses(model, dialect)
        self.merges = dialect is POSTGRESQL
        self.arrays = ArrayStatements(model)
        self._references = references(model, dialect)
        self._rows = RowCodec(model, dialect)
        self._codec = lru_cache(_SHAPES)(self._make_codec)
        self._insert_text = lru_cache(_SHAPES)(self._make_insert_text)
        self._update_text = lru_cache(_SHAPES)(self._make_update_text)
        self._upsert_text = lru_cache(_SHAPES)(self._make_upsert_text)
        self._frame = lru_cache(_SHAPES)(self._make_frame)
        self._page = lru_cache(_SHAPES)(self._make_page)
        self._delete_text = self._make_delete_text()
        read = f"SELECT {self._clauses.columns} FROM {self._clauses.table}"
        is_key = f"WHERE {self._clauses.same(model.identity)}"
        self._read_text = f"{read} {is_key}{self._clauses.alive()}"
        self._delete_key_text = (
            f"{self._deletion(len(model.identity) + 1)} {is_key}"
            f"{self._clauses.alive()} RETURNING {self._clauses.key}"
        )

    def _deletion(self, place: int) -> str:
        """Return the head of a statement that deletes, or marks as deleted."""
        clauses = self._clauses
        sets = clauses.deletion(self.dialect.place(place))
        if sets is None:
            return f"DELETE FROM {clauses.table}"
        return f"UPDATE {clauses.table} SET {sets} "

    def _now(self) -> tuple[Any, ...]:
        """Return the parameter of a deletion, if rows are marked."""
        name = self.model.deleted_field
        return () if name is None else tuple(self.encode({name: datetime.now(UTC)}))

    @cached_property
    def stored(self) -> Table:
        """The same table with deleted rows in it; what it deletes is gone."""
        if self.model.deleted_field is None:
            return self
        return Table(
            msgspec.structs.replace(self.model, deleted_field=None), self.dialect
        )

    # -- rows -----------------------------------------------------------------

    def decoder(self, names: Sequence[str] | None) -> RowCodec:
        """Return what decodes rows of the columns *names*, or of all of them."""
        return self._rows if names is None else self._codec(tuple(names))

    @cached_property
    def key_codec(self) -> RowCodec:
        """What decodes rows that hold the key alone."""
        return self._codec(self.model.key)

    @cached_property
    def decode(self) -> Callable[[Sequence[Any]], dict[str, Any]]:
        """What makes the values by name of a row that holds every column."""
        return self._rows.decode

    def encode(self, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return the values as parameters, in the mapping's order."""
        return self._codec(tuple(values)).encode(values)

    def _make_codec(self, names: tuple[str, ...]) -> RowCodec:
        return RowCodec(self.model, self.dialect, names)

    # -- terms ----------------------------------------------------------------
    #
    # Without terms anything may be done; see `terms.GuardedTable`.

    admit: Admit | None = None
    """Told which fields senders name for new rows, and for changes; may refuse."""

    fixed: Mapping[str, Any] = {}
    """What is the same in every row that statements made here are about."""

    reads_rows: bool = False
    """Whether terms depend on rows, so that none may be stored unseen."""

    def touched(self, count: int) -> None:
        """Note rows that were written beside the statements made here."""

    def cleared(self, statements: Sequence[Statement]) -> Sequence[Statement]:
        """Return statements made elsewhere, of rows that were looked at."""
        return statements

    def recorded(self, statement: Statement) -> Statement:
        """Return a statement about the past of rows; `shows` is asked about each."""
        return statement

    def shows(self, values: Mapping[str, Any]) -> bool:
        """Whether a row that was like this is there for the sender.

        Raises:
            Exception: Its values do not tell; what the terms say.
        """
        del values
        return True

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values of a row as the sender may see them."""
        return dict(values)

    def stamped(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a row with what is the same in all of them.

        Raises:
            TenantMismatchError: One says something else.
        """
        fixed = self.fixed
        for name, value in fixed.items():
            if values.get(name, value) != value:
                raise TenantMismatchError(self.model.name, name)
        return {**values, **fixed}

    # -- one row --------------------------------------------------------------

    def insert(self, values: Mapping[str, Any]) -> Statement:
        """Insert one row; yields the whole row."""
        names = tuple(values)
        parameters = self._codec(names).encode(values)
        return _brief(self._insert_text(names), parameters)

    def _make_insert_text(self, names: tuple[str, ...]) -> str:
        return f"{self._clauses.insert(names)} RETURNING {self._clauses.columns}"

    def read(self, key: Mapping[str, Any]) -> Statement:
        """Select the row of a key given in the order of the model's key."""
        return _brief(self._read_text, self.encode(key))

    def update_key(
        self, key: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Statement:
        """Change the row of a key given in the order of the model's; yields it whole."""
        parameters = [*self.encode(changes), *self.encode(key)]
        return _brief(self._update_text(tuple(changes)), parameters)

    def _make_update_text(self, names: tuple[str, ...]) -> str:
        clauses = self._clauses
        same = clauses.same(self.model.identity, first=len(names) + 1)
        sets = clauses.counted(clauses.sets(names))
        update = f"UPDATE {clauses.table} SET {sets} WHERE {same}{clauses.alive()}"
        return f"{update} RETURNING {clauses.columns}"

    def delete_key(self, key: Mapping[str, Any]) -> Statement:
        """Delete the row of a key given in the order of the model's; yields the key."""
        return _brief(self._delete_key_text, (*self.encode(key), *self._now()))

    def read_key(self, names: Sequence[str], values: Mapping[str, Any]) -> Statement:
        """Select the key of the row that has *values* in the fields *names*."""
        return self._select_same(self._clauses.key, names, values)

    def _select_same(
        self, columns: str, names: Sequence[str], values: Mapping[str, Any]
    ) -> Statement:
        same = self._clauses.same(names)
        text = f"SELECT {columns} FROM {self._clauses.table} WHERE {same}"
        text += self._clauses.alive_in(names)
        return _brief(text, self._codec(tuple(names)).encode(values))

    def upsert(
        self,
        values: Mapping[str, Any],
        conflict: Sequence[str],
        changes: Mapping[str, Any],
    ) -> list[Statement]:
        """Insert *values*, or apply *changes* to the row with the same *conflict*.

        Returns:
            Statements for one transaction; `was_created` reads their results.
        """
        text = self._upsert_text(tuple(values), tuple(conflict), tuple(changes))
        parameters = [*self.encode(values), *self.encode(changes)]
        upsert = _brief(text, parameters)
        if self.dialect is POSTGRESQL:
            return [upsert]
        return [self._select_same("1", conflict, values), upsert]

    def _make_upsert_text(
        self,
        names: tuple[str, ...],
        conflict: tuple[str, ...],
        changed: tuple[str, ...],
    ) -> str:
        clauses = self._clauses
        sets = clauses.sets(changed, first=len(names) + 1)
        action = clauses.upsertion(sets, conflict)
        text = f"{clauses.insert(names)} {clauses.on_conflict(conflict, action)}"
        created = f', {self._was_inserted} AS "{CREATED}"'
        is_told = self.dialect is POSTGRESQL
        return f"{text} RETURNING {clauses.columns}{created if is_told else ''}"

    @property
    def _was_inserted(self) -> str:
        # A fresh row was never locked, so its xmax is 0. One that conflicts is locked
        # before it is updated, and the new version keeps the lock in its xmax.
        # Source: PostgreSQL, heapam.c, heap_update, `xmax_new_tuple`.
        return f"({self._clauses.table}.xmax = 0)"

    def was_created(self, results: Sequence[Result]) -> bool:
        """Whether the upsert that gave *results* inserted its row."""
        if self.dialect is POSTGRESQL:
            return bool(results[-1].rows[0][-1])
        return not results[0].rows

    # -- by filter ------------------------------------------------------------

    def select(
        self,
        where: Filter = ALL,
        *,
        order: Sequence[Term] = (),
        limit: int | None = None,
        offset: int = 0,
        names: Sequence[str] | None = None,
        decoded: bool = False,
    ) -> Statement:
        """Select the rows a filter lets through, if asked as values by name."""
        wanted = None if names is None else tuple(names)
        if limit is not None and not offset and self.model.deleted_field is None:
            if where is ALL:
                page = self._page(tuple(order), wanted, None, None)
                return page.statement(None, limit, decoded=decoded)
            if type(where) is Compare and where.value is not None:
                field = where.field
                if type(field) is Field:
                    shape = tuple(order), wanted, field.name, where.comparison
                    page = self._page(*shape)
                    return page.statement(where.value, limit, decoded=decoded)
        compiler = self._compiler()
        head, tail, compiler.is_plain = self._frame(tuple(order), wanted)
        condition = ""
        if where is not ALL or self.model.deleted_field is not None:
            condition = compiler.where(self._alive(where))
        text = head + condition + tail + compiler.page(limit, offset)
        codec = self.decoder(names)
        is_short = limit is not None and limit * len(codec.names) <= _FEW_VALUES
        return Statement(
            text,
            compiler.parameters,
            returns_rows=True,
            decode=codec.decode_many if decoded else None,
            may_be_brief=is_short and not offset and compiler.is_plain,
        )

    def _make_page(
        self,
        order: tuple[Term, ...],
        names: tuple[str, ...] | None,
        name: str | None,
        comparison: Comparison | None,
    ) -> Page:
        """Return what makes statements that differ in nothing but values."""
        compiler, encode, condition = self._compiler(), None, ""
        head, tail, compiler.is_plain = self._frame(order, names)
        if name is not None and comparison is not None:
            condition = compiler.compared(self.model.field(name), comparison)
            encode = self._references[name].encode
        codec = self.decoder(names)
        return Page(
            head + condition + tail + compiler.page(0, 0),
            codec.decode_many,
            encode=encode,
            short=_FEW_VALUES // len(codec.names) if compiler.is_plain else -1,
        )

    def _make_frame(
        self, order: tuple[Term, ...], names: tuple[str, ...] | None
    ) -> tuple[str, str, bool]:
        """Return what stands around a condition, and whether it is plain."""
        compiler, clauses = self._compiler(), self._clauses
        columns = clauses.columns if names is None else clauses.listed(names)
        tail = compiler.order_by(order)
        return f"SELECT {columns} FROM {clauses.table}", tail, compiler.is_plain

    def count(self, where: Filter = ALL) -> Statement:
        """Count the rows a filter lets through."""
        compiler = self._compiler()
        where = self._alive(where)
        text = f"SELECT count(*) FROM {self._clauses.table}{compiler.where(where)}"
        return Statement(text, compiler.parameters, returns_rows=True)

    def select_groups(
        self,
        groups: Groups,
        where: Filter = ALL,
        *,
        having: Filter = ALL,
        order: Sequence[Term] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> Statement:
        """Select groups of the rows a filter lets through, as values by name."""
        # Groups of nothing but fields are decoded as rows are, by code written for it.
        plain = None if groups.aggregates else self.decoder(groups.result.key)
        return select_groups(
            groups,
            self._references,
            self.dialect,
            self._alive(where),
            having=having,
            order=order,
            limit=limit,
            offset=offset,
            decode=None if plain is None else plain.decode_many,
        )

    def count_groups(self, groups: Groups, where: Filter = ALL) -> Statement:
        """Count the groups of the rows a filter lets through."""
        references = self._references
        return count_groups(groups, references, self.dialect, self._alive(where))

    def update(
        self, where: Filter, changes: Mapping[str, Any], *, returning: bool = False
    ) -> Statement:
        """Change the rows a filter lets through; yields them whole if asked.

        Args:
            where: Which rows.
            changes: Values by name, or `Arithmetic` that makes them of those stored.
            returning: Whether the rows are wanted.
        """
        values = {
            name: value
            for name, value in changes.items()
            if not isinstance(value, Arithmetic)
        }
        compiler, clauses = self._compiler(self.encode(values)), self._clauses
        sets = [clauses.sets(values)] if values else []
        if len(values) < len(changes):
            sets += self._computed(changes.values(), compiler)
        text = f"UPDATE {clauses.table} SET {clauses.counted(', '.join(sets))}"
        text += compiler.where(self._alive(where))
        if returning:
            text += f" RETURNING {clauses.columns}"
        return Statement(text, compiler.parameters, returns_rows=returning)

    def _alive(self, where: Filter) -> Filter:
        """Return *where*, for rows that are not deleted."""
        name = self.model.deleted_field
        if name is None:
            return where
        alive = Compare(self.model.field(name), Comparison.EQ, None)
        return conjunction((where, alive))

    def _computed(self, changes: Iterable[Any], compiler: Compiler) -> Iterator[str]:
        for change in changes:
            if isinstance(change, Arithmetic):
                column = self.dialect.quote(change.field.name)
                new = arithmetic_text(change, column, self.dialect, compiler.place)
                yield f"{column} = {new}"

    def delete(self, where: Filter, *, returning: bool = False) -> Statement:
        """Delete the rows a filter lets through; yields their keys if asked."""
        compiler = self._compiler(self._now())
        text = f"{self._deletion(1)}{compiler.where(self._alive(where))}"
        if returning:
            text += f" RETURNING {self._clauses.key}"
        return Statement(text, compiler.parameters, returns_rows=returning)

    def delete_keys(self, columns: Sequence[Sequence[Any]]) -> Statement:
        """Delete the rows with any of many keys; it counts a key given twice once.

        On SQLite a list in one parameter takes 0.5 to 0.8 of the time of
        ``executemany`` (10 000 keys, int or text). What JSON does not hold exactly goes
        by that all the same, and so do keys of several fields: taken out of JSON they
        would take 1.9 times as long.

        Args:
            columns: For each field of the key, in order, its value in every key.
        """
        fields = [self._references[name] for name in self.model.identity]
        encoded = [
            column if field.encode is None else list(map(field.encode, column))
            for field, column in zip(fields, columns, strict=True)
        ]
        now = self._now()
        if self.dialect is POSTGRESQL:
            return Statement(self._delete_text, [*encoded, *now])
        if len(fields) == 1 and fields[0].is_in_json:
            json = msgspec.json.encode(encoded[0]).decode()
            return Statement(self._delete_text, (json, *now))
        rows = [(*key, *now) for key in zip(*encoded, strict=True)]
        return Statement(self._delete_text, rows, many=True)

    def _make_delete_text(self) -> str:
        identity, fields = self.model.identity, self._references
        start = f"{self._deletion(len(identity) + 1)} WHERE"
        alive = self._clauses.alive()
        names = [fields[name].equal for name in identity]
        if self.dialect is POSTGRESQL:
            if len(names) == 1:
                return f"{start} {names[0]} = ANY($1){alive}"
            arrays = ", ".join(
                f"${place}::{column_type(self.model.field(name).type, POSTGRESQL)}[]"
                for place, name in enumerate(identity, 1)
            )
            key = ", ".join(names)
            return f"{start} ({key}) IN (SELECT * FROM unnest({arrays})){alive}"
        if len(names) == 1 and fields[identity[0]].is_in_json:
            return f"{start} {names[0]} IN (SELECT value FROM json_each(?1)){alive}"
        same = [f"{name} = ?{place}" for place, name in enumerate(names, 1)]
        return f"{start} {' AND '.join(same)}{alive}"

    def _compiler(self, parameters: Sequence[Any] = ()) -> Compiler:
        schema = self.model.schema
        return Compiler(self.dialect, self._references, parameters, schema=schema)

    # -- many rows ------------------------------------------------------------

    def insert_many(
        self,
        names: Sequence[str],
        rows: Iterable[Mapping[str, Any]],
        *,
        conflict: Sequence[str] | None = None,
        returning: bool = False,
    ) -> Statement:
        """Insert rows of the same columns; yields the keys of those inserted if asked.

        Args:
            names: The columns every row has.
            rows: The values.
            conflict: A row that agrees with a stored one in these is skipped;
                None lets the database refuse it.
            returning: Whether the keys are wanted.
        """
        clauses = self._clauses
        text = clauses.insert(names)
        if conflict is not None:
            text += f" {clauses.on_conflict(conflict, 'NOTHING')}"
        if returning:
            text += f" RETURNING {clauses.key}"
        return self._many(text, names, rows, returns_rows=returning)

    def upsert_many(
        self,
        names: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        conflict: Sequence[str],
        changed: Sequence[str],
    ) -> list[Statement]:
        """Insert rows, or set the columns *changed* of those that agree in *conflict*.

        Returns:
            Statements for one transaction; `count_created` reads their results.
        """
        clauses = self._clauses
        if self.dialect is POSTGRESQL:
            text = self._upsertion(names, conflict, changed)
            text += f" RETURNING {self._was_inserted}"
            return [self._many(text, names, rows)]
        version = self.model.version_field
        if version is not None:
            # Only a new row has the first version; two statements would count it twice.
            text = self._upsertion(names, conflict, changed)
            text += f" RETURNING {self.dialect.quote(version)} = 1"
            return [self._many(text, names, rows)]
        inserts = self.insert_many(names, rows, conflict=conflict, returning=True)
        revival = clauses.revival(conflict)
        if not (changed or revival):
            return [inserts]
        # The writer is alone, so what the first statement did not insert is there;
        # setting a new row to its own values again changes nothing.
        sets = changed or conflict[:1]
        text = f"{self._change(sets, conflict, revival)}{clauses.alive_in(conflict)}"
        return [inserts, self._many(text, (*sets, *conflict), rows, returns_rows=False)]

    def _upsertion(
        self, names: Sequence[str], conflict: Sequence[str], changed: Sequence[str]
    ) -> str:
        clauses = self._clauses
        action = clauses.upsertion(clauses.excluded(changed), conflict)
        return f"{clauses.insert(names)} {clauses.on_conflict(conflict, action)}"

    def _change(
        self, changed: Sequence[str], key: Sequence[str], more: str = ""
    ) -> str:
        clauses = self._clauses
        same = clauses.same(key, first=len(changed) + 1)
        sets = clauses.counted(clauses.sets(changed))
        return f"UPDATE {clauses.table} SET {sets}{more} WHERE {same}"

    def count_created(self, results: Sequence[Result]) -> int:
        """Return how many rows the `upsert_many` that gave *results* inserted."""
        if self.dialect is POSTGRESQL or self.model.version_field is not None:
            return sum(bool(row[0]) for row in results[0].rows)
        return len(results[0].rows)

    def update_many(
        self,
        rows: Sequence[Mapping[str, Any]],
        key: Sequence[str],
        changed: Sequence[str],
    ) -> Statement:
        """Set the columns *changed* of the rows that agree in *key*; yields their keys."""
        clauses = self._clauses
        text = f"{self._change(changed, key)}{clauses.alive()}"
        return self._many(f"{text} RETURNING {clauses.key}", (*changed, *key), rows)

    def _many(
        self,
        text: str,
        names: Sequence[str],
        rows: Iterable[Mapping[str, Any]],
        *,
        returns_rows: bool = True,
    ) -> Statement:
        encode = self._codec(tuple(names)).encode
        parameters = [encode(row) for row in rows]
        return Statement(text, parameters, returns_rows=returns_rows, many=True)

    def select_each(
        self, names: Sequence[str], rows: Iterable[Mapping[str, Any]]
    ) -> Statement:
        """Select, for each of *rows*, the row that agrees with it in *names*."""
        clauses = self._clauses
        text = f"SELECT {clauses.columns} FROM {clauses.table} "
        text += f"WHERE {clauses.same(names)}{clauses.alive_in(names)}"
        return self._many(text, names, rows)

    # -- generated keys -------------------------------------------------------

    def repair_key(self) -> Statement | None:
        """Return what moves the sequence of the generated key past the keys there are.

        None where there is no such sequence. One that is not behind is left alone;
        keys that others take while this runs may need another repair.
        """
        key = self.model.generated_key
        if key is None or self.dialect is not POSTGRESQL:
            return None
        text = (
            "SELECT setval(sequence, highest) FROM ("
            f"SELECT max({self.dialect.quote(key)}) AS highest, "
            "pg_get_serial_sequence($1, $2)::regclass AS sequence "
            f"FROM {self._clauses.table}) AS it "
            "WHERE highest > COALESCE(pg_sequence_last_value(sequence), 0)"
        )
        return Statement(text, (self._clauses.table, key), returns_rows=True)


def _brief(text: str, parameters: Sequence[Any]) -> Statement:
    return Statement(text, parameters, returns_rows=True, is_brief=True)
