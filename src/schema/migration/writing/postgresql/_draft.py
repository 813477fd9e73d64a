"""Steps as they are written: what all changes on PostgreSQL have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...._shape import Column, TableShape
from ..._risk import Risk
from ..._step import Mode, Proof, Step, Work
from ...planning import Counter, Facts
from .._draft import Draft as _Draft
from .._literal import quoted
from .._text import quote
from ._risks import POSTGRESQL_RISKS

__all__ = ["Draft", "drop_constraint", "identity"]


class Draft(_Draft):
    """Collects steps on PostgreSQL."""

    def __init__(self, tables: Mapping[str, TableShape], facts: Facts) -> None:
        super().__init__(tables, facts)
        self._created: set[str] = set()
        self._unread: set[tuple[str, str]] = set()
        self._late: list[Step] = []
        self._old_columns: dict[tuple[str, str], str] = {}

    def _not_null_again(self, table: str, column: str) -> str:
        """Return the statement that makes a column NOT NULL, by the name that had."""
        before = self._old_columns.get((table, column), column)
        name = self._of(table).not_nulls.get(before)
        alter = f"ALTER TABLE {quote(table)}"
        if name is None:
            return f"{alter} ALTER COLUMN {quote(column)} SET NOT NULL"
        return f"{alter} ADD CONSTRAINT {quote(name)} NOT NULL {quote(column)}"

    def _identity_again(self, table: str, column: Column) -> list[str]:
        """Return the statements that make values again, by the sequence that did."""
        before = self._old_columns.get((table, column.name), column.name)
        return identity(table, column, self._of(table).counters.get(before))

    def _if_readable(
        self, table: str, columns: Iterable[str], proofs: tuple[Proof, ...]
    ) -> tuple[Proof, ...]:
        """Leave proofs out that ask for columns which are not there yet."""
        is_new = any((table, column) in self._unread for column in columns)
        return () if is_new or table in self._renamed else proofs

    def _validate(self, table: str, name: str, operation: str) -> None:
        self.steps.append(self._validation(table, name, operation))

    def _validation(self, table: str, name: str, operation: str) -> Step:
        return self._step(
            operation,
            table,
            f"hold the rows of {table} against {name}",
            [f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(name)}"],
            [],
        )

    def _add(
        self,
        operation: str,
        table: str,
        description: str,
        statements: Iterable[str],
        undo: Iterable[str] | None,
        *,
        is_lossy: bool = False,
        mode: Mode = "transaction",
        proofs: tuple[Proof, ...] = (),
        risk: Risk | None = None,
    ) -> None:
        step = self._step(
            operation,
            table,
            description,
            statements,
            undo,
            is_lossy=is_lossy,
            mode=mode,
            proofs=proofs,
            risk=risk,
        )
        self.steps.append(step)

    def _step(
        self,
        operation: str,
        table: str,
        description: str,
        statements: Iterable[str],
        undo: Iterable[str] | None,
        *,
        is_lossy: bool = False,
        mode: Mode = "transaction",
        proofs: tuple[Proof, ...] = (),
        risk: Risk | None = None,
    ) -> Step:
        row, facts = POSTGRESQL_RISKS[operation], self._of(table)
        before = proofs if table not in self._renamed else ()
        inside = proofs if table in self._renamed else ()
        return Step(
            operation=operation,
            table=table,
            description=description,
            work=Work(statements=(*inside, *statements), mode=mode),
            undo=None if undo is None else Work(statements=(*undo,), mode=mode),
            is_lossy=is_lossy,
            risk=row.risk_for(facts) if risk is None else risk,
            reason=row.reason,
            lock=row.lock,
            is_rewrite=row.is_rewrite and not facts.is_empty,
            estimate_s=facts.rows * row.per_row_s,
            alternative=row.alternative,
            before=before,
        )


def identity(table: str, column: Column, counter: Counter | None = None) -> list[str]:
    """Return the statements that let the database make values.

    It goes on behind the last value there is, and behind the last one that was given.

    Args:
        table: Of the column.
        column: As it is to be.
        counter: What made the values before, and is to be as it was.
    """
    place, name = quote(table), quote(column.name)
    alter = f"ALTER TABLE {place} ALTER COLUMN {name}"
    sequence = f"pg_get_serial_sequence({quoted(place)}, {quoted(column.name)})"
    if column.identity == "serial":
        # Its sequence is still there, and knows how far it came.
        last = f"pg_sequence_last_value({sequence}::regclass)"
        default = quoted(f"{alter} SET DEFAULT nextval(")
        text = f"{default} || quote_literal({sequence}) || '::regclass)'"
        behind = f"greatest((SELECT max({name}) FROM {place}), {last}, 0) + 1"
        return [
            f"DO {quoted(f'BEGIN EXECUTE {text}; END')}",
            f"SELECT setval({sequence}, {behind}, false)",
        ]
    kind = "ALWAYS" if column.identity == "always" else "BY DEFAULT"
    made = f"{alter} ADD GENERATED {kind} AS IDENTITY"
    counter = counter or Counter(schema="", name="")
    if counter.name:
        made += f" ({_options(counter)})"
    return [made, f"SELECT setval({sequence}, {_next(counter, place, name)}, false)"]


def _options(counter: Counter) -> str:
    """Return what a sequence is called and how it counts, as pg_dump writes it."""
    cycle = "CYCLE" if counter.is_cycling else "NO CYCLE"
    return (
        f"SEQUENCE NAME {quote(counter.schema)}.{quote(counter.name)} "
        f"START WITH {counter.start} INCREMENT BY {counter.increment} "
        f"MINVALUE {counter.least} MAXVALUE {counter.greatest} "
        f"CACHE {counter.cache} {cycle}"
    )


def _next(counter: Counter, place: str, name: str) -> str:
    """Return the expression of the first value that nothing has had."""
    step = counter.increment
    first = counter.start if counter.last is None else counter.last + step
    is_up = step > 0
    end, beyond, sign = ("max", "greatest", "+") if is_up else ("min", "least", "-")
    bound = counter.greatest if is_up else counter.least
    keep = "least" if is_up else "greatest"
    # The last of a sequence that ended is not to be passed.
    reached = f"(SELECT {end}({name}) {sign} 1 FROM {place})"
    return f"{keep}({beyond}({reached}, {first}), {bound})"


def drop_constraint(table: str, name: str | None, *, is_certain: bool = True) -> str:
    """Return the statement that drops a constraint, if it is there or for certain."""
    way = "" if is_certain else "IF EXISTS "
    return f"ALTER TABLE {quote(table)} DROP CONSTRAINT {way}{quote(name or '')}"
