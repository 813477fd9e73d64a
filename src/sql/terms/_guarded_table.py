"""The table of a model as one message may see and change it.

Rules of this file:

1. Every statement made here keeps to the terms, together with its probes and its
   review, and only these are `Guarded`. Whoever runs statements under terms refuses
   any other, so a statement that was added to `Table` and not here does not get past.
2. A guard on stored rows is in the WHERE of the statement too: a row that somebody
   else changes between the look and the write is left alone.
3. What the sender may not see is not there for it: not to read, not to count, not to
   change. A new row that meets it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

from msgspec.structs import replace

from .._dialect import POSTGRESQL
from .._statement import Result, Statement
from ..aggregates import Groups
from ..filters import (
    ALL,
    Compare,
    Comparison,
    Filter,
    OneOf,
    Term,
    conjunction,
    disjunction,
    matcher,
    negation,
)
from ..tables import Arithmetic, ArrayStatements, RowCodec, Table
from ._guarded import Guarded, Probe, RacedError, clear
from ._guarded_arrays import GuardedArrays
from ._images import Guards, check
from ._ledger import Ledger
from ._masked import lay, mask_many, mask_one
from ._partial import UndecidedError, decide, names_in
from ._related import restricted
from ._row_images import RowImages
from ._terms import NEW, Guard, Terms

__all__ = ["GuardedTable", "guarded"]

Values = Mapping[str, Any]
_Look = Callable[[Result], None]
_Review = Callable[[Result], Result]


def guarded(table: Table, terms: Terms, named: frozenset[str]) -> GuardedTable:
    """Return *table* as a message may use it.

    Args:
        table: Of its model.
        terms: Those of the message.
        named: Fields that its parameters name; what it stores beside them are
            defaults.
    """
    return GuardedTable(table, terms, named)


@final
class GuardedTable(Table):
    """Statements about the table of one model that keep to terms.

    For one message, or for several whose terms are the same and static.
    """

    arrays: ArrayStatements

    def __init__(self, base: Table, terms: Terms, named: frozenset[str]) -> None:
        self.__dict__.update(base.__dict__)
        self.__dict__.pop("decode", None)
        self._base = base
        self._terms = terms
        self._named = named
        self._guards = Guards(base.model, terms.guards)
        self._visible = terms.visible
        self._is_visible = matcher(terms.visible)
        self._ledger = Ledger(terms.caps)
        self.admit = self._admit
        self.reads_rows = terms.visible is not ALL or not self._guards.are_static
        self.arrays = GuardedArrays(base.arrays, self._check_fields)
        if terms.masks:
            self.decode = mask_one(base.decode, terms.masks)

    # -- terms ----------------------------------------------------------------

    def _admit(
        self, new: frozenset[str] | None, changed: frozenset[str] | None
    ) -> None:
        """Note which fields rows name, and check that they may.

        Raises:
            Exception: What a guard says.
        """
        if self._base.admit is not None:
            self._base.admit(new, changed)
        for action, named in (("create", new), ("update", changed)):
            if named is not None:
                self._named |= named
                self._guards.check_static(action, named)

    def _check_fields(self, action: str, names: Iterable[str]) -> None:
        self._guards.check_static(action, self._named.intersection(names))

    def touched(self, count: int) -> None:
        """Count rows that were written, and check that it were not too many.

        Raises:
            Exception: What a cap says.
        """
        self._ledger.add(count)

    def release(self) -> None:
        """Give back what counted of a message whose writes were undone."""
        self._ledger.release()

    def cleared(self, statements: Sequence[Statement]) -> Sequence[Statement]:
        """Return statements made elsewhere, of rows that `admit` was told of."""
        assert not self.reads_rows, "rows were to be looked at"  # noqa: S101
        return list(map(clear, statements))

    def recorded(self, statement: Statement) -> Statement:
        """Return a statement about the past of rows; `shows` is asked about each."""
        return clear(statement)

    def shows(self, values: Values) -> bool:
        """Whether a row that was like this is visible.

        Raises:
            Exception: Its values do not tell; what the terms say.
        """
        try:
            return self._is_visible(values)
        except KeyError:
            raise self._terms.hidden() from None

    def shown(self, values: Values) -> dict[str, Any]:
        """Return values of a row, masked."""
        own = dict(values)
        lay(self._terms.masks, own)
        return own

    def _asked(self, where: Filter, order: Sequence[Term] = ()) -> Filter:
        """Return the rows that are asked for, by what the sender may ask for.

        The answer would tell what is masked, and which related rows there are.

        Raises:
            Exception: What the terms say.
        """
        if self._terms.masks:
            names = names_in(where) | {term.field.name for term in order}
            self._refuse_masked(names)
        others = self._terms.others
        return where if others is None else restricted(where, others)

    def _refuse_masked(self, names: Iterable[str]) -> None:
        for name in sorted({*names}.intersection(self._terms.masks)):
            raise self._terms.unasked(name)

    # -- looks ------------------------------------------------------------------

    def _counted(self, result: Result) -> Result:
        self.touched(result.count)
        return result

    def _look(self, where: Filter, guard: Guard) -> Probe:
        """Look whether there is a row that a guard is about."""

        def review(result: Result) -> None:
            if result.rows:
                check(guard)

        names = self.model.key
        return Probe(self._base.select(where, limit=1, names=names), review)

    def _lock(self, where: Filter) -> list[Probe]:
        """Keep others from changing rows between a look and a write.

        SQLite's writer is alone from the start of its transaction.
        """
        if self.dialect is not POSTGRESQL:
            return []
        select = self._base.select(where, names=self.model.key)
        text = f"SELECT count(*) FROM ({select.text} FOR UPDATE) AS locked"
        return [Probe(replace(select, text=text), _ignore)]

    def _locking(self, statement: Statement) -> Statement:
        if self.dialect is not POSTGRESQL:
            return statement
        return replace(statement, text=f"{statement.text} FOR UPDATE", is_brief=False)

    def _key_filter(self, key: Values) -> Filter:
        return conjunction(
            Compare(self.model.field(name), Comparison.EQ, value)
            for name, value in key.items()
        )

    # -- reading ----------------------------------------------------------------

    def decoder(self, names: Sequence[str] | None) -> RowCodec:
        """Return what decodes rows without anything masked in them.

        Raises:
            Exception: A column is masked; what the terms say.
        """
        self._refuse_masked(self.model.names if names is None else names)
        return self._base.decoder(names)

    def read(self, key: Values) -> Statement:
        """Select the row of a key."""
        if self._visible is ALL:
            return clear(self._base.read(key))
        return self.select(self._key_filter(key), limit=1)

    def read_key(self, names: Sequence[str], values: Values) -> Statement:
        """Select the key of the row that has *values* in the fields *names*."""
        return clear(self._base.read_key(names, values))

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
        """Select rows that are visible, masked if they are asked as values by name."""
        where = self._asked(where, order)
        statement = self._base.select(
            conjunction((where, self._visible)),
            order=order,
            limit=limit,
            offset=offset,
            names=names,
            decoded=decoded,
        )
        masks = self._terms.masks
        if masks and statement.decode is not None:
            decode = mask_many(statement.decode, masks)
            statement = replace(statement, decode=decode)
        return clear(statement)

    def count(self, where: Filter = ALL) -> Statement:
        """Count rows that are visible."""
        where = self._asked(where)
        return clear(self._base.count(conjunction((where, self._visible))))

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
        """Select groups of rows that are visible, by fields that are not masked."""
        where = self._asked_of_groups(groups, where)
        return clear(
            self._base.select_groups(
                groups,
                conjunction((where, self._visible)),
                having=having,
                order=order,
                limit=limit,
                offset=offset,
            )
        )

    def count_groups(self, groups: Groups, where: Filter = ALL) -> Statement:
        """Count groups of rows that are visible, by fields that are not masked."""
        where = self._asked_of_groups(groups, where)
        where = conjunction((where, self._visible))
        return clear(self._base.count_groups(groups, where))

    def _asked_of_groups(self, groups: Groups, where: Filter) -> Filter:
        computed = (each.field for each in groups.aggregates)
        fields = (*groups.fields, *filter(None, computed))
        self._refuse_masked(field.name for field in fields)
        return self._asked(where)

    # -- one new row ------------------------------------------------------------

    def insert(self, values: Values) -> Statement:
        """Insert one row; yields it whole."""
        named = self._named.intersection(values)
        self._guards.check_static("create", named)
        self._guards.check_row("create", named, None, values)

        def review(result: Result) -> Result:
            for row in result.rows:
                stored = self._base.decode(row)
                self._guards.check_stored("create", named, stored)
            return self._counted(result)

        return self._reviewed(self._base.insert(values), review)

    def _reviewed(self, statement: Statement, review: _Review) -> Guarded:
        is_needed = self.reads_rows or bool(self._terms.caps)
        return clear(statement, review=review if is_needed else None)

    def upsert(
        self, values: Values, conflict: Sequence[str], changes: Values
    ) -> list[Statement]:
        """Insert *values*, or apply *changes* to the row with the same *conflict*."""
        self._check_fields("create", values)
        self._check_fields("update", changes)
        *before, upsert = self._base.upsert(values, conflict, changes)
        if not self.reads_rows:
            guarded = self._reviewed(upsert, self._counted)
            return [*map(clear, before), guarded]
        found: list[bool] = []

        def look(result: Result) -> None:
            found[:] = [bool(result.rows)]
            if not result.rows:
                named = self._named.intersection(values)
                self._guards.check_row("create", named, None, values)
                return
            old = self._base.decode(result.rows[0])
            self._check_hidden(old)
            named = self._named.intersection(changes)
            self._guards.check_row("update", named, old, {**old, **changes})

        def review(result: Result) -> Result:
            if self.dialect is POSTGRESQL and result.rows:
                was_there = not self._base.was_created([result])
                if was_there != found[0]:
                    raise RacedError
            for row in result.rows:
                stored = self._base.decode(row[: len(self.model.fields)])
                action = "update" if found[0] else "create"
                named = self._named.intersection(changes if found[0] else values)
                self._guards.check_stored(action, named, stored)
            return self._counted(result)

        same = {name: values[name] for name in conflict}
        select = self._base.select(self._key_filter(same))
        probe = Probe(self._locking(select), look)
        return [*map(clear, before), clear(upsert, (probe,), review)]

    def _check_hidden(self, row: Values) -> None:
        if not self._is_visible(row):
            raise self._terms.hidden()

    # -- by filter --------------------------------------------------------------

    def update_key(self, key: Values, changes: Values) -> Statement:
        """Change the row of a key; yields it whole."""
        if self.reads_rows:
            return self.update(self._key_filter(key), changes, returning=True)
        self._check_fields("update", changes)
        statement = self._base.update_key(key, changes)
        return self._reviewed(statement, self._counted)

    def update(
        self, where: Filter, changes: Values, *, returning: bool = False
    ) -> Statement:
        """Change the rows a filter lets through; yields them whole if asked."""
        where = self._asked(where)
        self._check_fields("update", changes)
        named = self._named.intersection(changes)
        known = {
            f"{NEW}{name}": value
            for name, value in changes.items()
            if not isinstance(value, Arithmetic)
        }
        where = conjunction((where, self._visible))
        columns = self._guards.columns(changes)
        probes, rest, undecided = self._looks("update", named, where, known, columns)
        images = self._images(self.model.key) if undecided else None
        if images is not None:
            select = self._base.select(where)
            probes.append(Probe(self._locking(select), images.look))
        statement = self._base.update(
            conjunction((where, rest)),
            changes,
            returning=returning or images is not None,
        )

        def review(result: Result) -> Result:
            if images is not None:
                images.check_results(result, undecided, named)
            for row in result.rows:
                stored = self._base.decode(row)
                self._guards.check_stored("update", named, stored)
            self.touched(result.count)
            return result if returning else Result((), result.count)

        if not (self.reads_rows or self._terms.caps):
            return clear(statement)
        return clear(statement, tuple(probes), review)

    def delete_key(self, key: Values) -> Statement:
        """Delete the row of a key; yields the key."""
        if self.reads_rows:
            return self.delete(self._key_filter(key), returning=True)
        return self._reviewed(self._base.delete_key(key), self._counted)

    def delete(self, where: Filter, *, returning: bool = False) -> Statement:
        """Delete the rows a filter lets through; yields their keys if asked."""
        where = self._asked(where)
        where = conjunction((where, self._visible))
        known, columns = self._guards.nothing_new(), self._guards.columns(())
        probes, rest, _ = self._looks("delete", frozenset(), where, known, columns)
        where = conjunction((where, rest))
        statement = self._base.delete(where, returning=returning)
        if not (self.reads_rows or self._terms.caps):
            return clear(statement)
        return clear(statement, tuple(probes), self._counted)

    def _looks(
        self,
        action: str,
        named: frozenset[str],
        where: Filter,
        known: Values,
        columns: Mapping[str, Any],
    ) -> tuple[list[Probe], Filter, list[Guard]]:
        """Return looks at rows, the rows that may be written, and guards left over.

        Raises:
            Exception: What a guard says that holds for every row.
        """
        probes: list[Probe] = []
        refused: list[Filter] = []
        undecided: list[Guard] = []
        for guard in self._guards.about(action, named, is_static=False):
            try:
                rows = decide(guard.rows(named), known, columns)
            except UndecidedError:
                undecided.append(guard)
                continue
            probes.append(self._look(conjunction((where, rows)), guard))
            if guard.refuses:
                refused.append(rows)
        if probes:
            probes[:0] = self._lock(where)
        return probes, negation(disjunction(refused)), undecided

    # -- many rows --------------------------------------------------------------

    def delete_keys(self, columns: Sequence[Sequence[Any]]) -> Statement:
        """Delete the rows with any of many keys."""
        if not self.reads_rows:
            return self._reviewed(self._base.delete_keys(columns), self._counted)
        names = self.model.key
        if len(names) == 1:
            where: Filter = OneOf(self.model.field(names[0]), tuple(columns[0]))
        else:
            keys = zip(*columns, strict=True)
            where = disjunction(
                self._key_filter(dict(zip(names, key, strict=True))) for key in keys
            )
        return self.delete(where)

    def insert_many(
        self,
        names: Sequence[str],
        rows: Iterable[Values],
        *,
        conflict: Sequence[str] | None = None,
        returning: bool = False,
    ) -> Statement:
        """Insert rows of the same columns; yields the keys of those inserted if asked."""
        rows = list(rows)
        named = self._named.intersection(names)
        for row in rows:
            self._guards.check_row("create", named, None, row)
        return clear(
            self._base.insert_many(names, rows, conflict=conflict, returning=returning)
        )

    def update_many(
        self, rows: Sequence[Values], key: Sequence[str], changed: Sequence[str]
    ) -> Statement:
        """Set columns of the rows that agree in *key*; yields their keys."""
        statement = self._base.update_many(rows, key, changed)
        if not self.reads_rows:
            return clear(statement)
        images, named = self._images(key), self._named.intersection(changed)

        def look(result: Result) -> None:
            images.look(result)
            images.change(rows, named, changed)

        def review(result: Result) -> Result:
            if len(result.rows) != images.n_found:
                raise RacedError
            return result

        return clear(statement, (self._probe_many(rows, key, look),), review)

    def upsert_many(
        self,
        names: Sequence[str],
        rows: Sequence[Values],
        conflict: Sequence[str],
        changed: Sequence[str],
    ) -> list[Statement]:
        """Insert rows, or set columns of those that agree in *conflict*."""
        first, *others = self._base.upsert_many(names, rows, conflict, changed)
        if not self.reads_rows:
            return [clear(first), *map(clear, others)]
        images, named = self._images(conflict), self._named.intersection(names)

        def look(result: Result) -> None:
            images.look(result)
            images.upsert(rows, named, changed)

        def review(result: Result) -> Result:
            n_created = self._base.count_created([result])
            if n_created != len(rows) - images.n_found:
                raise RacedError
            return result

        probe = self._probe_many(rows, conflict, look)
        return [clear(first, (probe,), review), *map(clear, others)]

    def _images(self, key: Sequence[str]) -> RowImages:
        return RowImages(self._guards, self._base.decode, key, self._check_hidden)

    def _probe_many(
        self, rows: Sequence[Values], key: Sequence[str], look: _Look
    ) -> Probe:
        """Look at the stored rows that agree with *rows* in *key*, each on its own."""
        return Probe(self._locking(self._base.select_each(key, rows)), look)

    def repair_key(self) -> Statement | None:
        """Return what moves the sequence of the generated key past the keys there are."""
        repair = self._base.repair_key()
        return None if repair is None else clear(repair)


def _ignore(result: Result) -> None:
    """Take what says nothing."""
    del result
