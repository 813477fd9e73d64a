"""Steps as they are written: what all changes on PostgreSQL have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...._shape import Column, TableShape
from ..._risk import Risk
from ..._step import Mode, Proof, Step, Work
from ...planning import Facts
from .._catalogue import POSTGRESQL_RISKS
from .._draft import Draft as _Draft
from .._literal import quoted
from .._text import quote

__all__ = ["Draft", "drop_constraint", "identity"]


class Draft(_Draft):
    """Collects steps on PostgreSQL."""

    def __init__(self, tables: Mapping[str, TableShape], facts: Facts) -> None:
        super().__init__(tables, facts)
        self._created: set[str] = set()
        self._unread: set[tuple[str, str]] = set()
        self._late: list[Step] = []

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


def identity(table: str, column: Column) -> list[str]:
    """Return the statements that let the database make values again, as it did.

    It goes on behind the greatest value there is.
    """
    place, name = quote(table), quote(column.name)
    alter = f"ALTER TABLE {place} ALTER COLUMN {name}"
    sequence = f"pg_get_serial_sequence({quoted(place)}, {quoted(column.name)})"
    behind = (
        f"SELECT setval({sequence}, COALESCE((SELECT max({name}) FROM {place}), 0) + 1, "
        "false)"
    )
    if column.identity == "serial":
        default = quoted(f"{alter} SET DEFAULT nextval(")
        text = f"{default} || quote_literal({sequence}) || '::regclass)'"
        return [f"DO {quoted(f'BEGIN EXECUTE {text}; END')}", behind]
    kind = "ALWAYS" if column.identity == "always" else "BY DEFAULT"
    return [f"{alter} ADD GENERATED {kind} AS IDENTITY", behind]


def drop_constraint(table: str, name: str | None, *, is_certain: bool = True) -> str:
    """Return the statement that drops a constraint, if it is there or for certain."""
    way = "" if is_certain else "IF EXISTS "
    return f"ALTER TABLE {quote(table)} DROP CONSTRAINT {way}{quote(name or '')}"
