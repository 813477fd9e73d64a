"""A migration as a value: its steps, what each does, takes and risks."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import msgspec

from ._risk import Risk

__all__ = ["Backfill", "Mode", "Plan", "Proof", "Step", "Work"]

Mode: TypeAlias = Literal["transaction", "alone", "backfill"]
"""How work runs.

In a transaction; by itself, because the database wants it so; or in many small
transactions.
"""


class Proof(msgspec.Struct, frozen=True):
    """A question whose answer must be no row.

    Attributes:
        query: It yields a row for each violation, at least one if there are any.
        problem: What a row means, and what to do about it.
    """

    query: str
    problem: str


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """Give rows a value where they have none, a batch at a time.

    Attributes:
        table: Quoted name of the table.
        column: Quoted name of the column.
        key: Quoted names of the primary key's columns.
        place: Table and column as they are called, for the factory of the values.
        literal: The value of all rows, or None where a factory makes one for each.
    """

    table: str
    column: str
    key: tuple[str, ...]
    place: tuple[str, str]
    literal: str | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is run.

    Attributes:
        statements: SQL and proofs, in order.
        mode: How they run.
        backfill: Which values are filled in, with mode ``backfill``; with another one
            those that are taken back, behind the statements.
        objects_of: A table of SQLite that is made anew, whose triggers and indexes are
            made again at the end, as they are written down when it begins.
    """

    statements: tuple[str | Proof, ...] = ()
    mode: Mode = "transaction"
    backfill: Backfill | None = None
    objects_of: str | None = None

    @property
    def sql(self) -> tuple[str, ...]:
        """The statements, without proofs."""
        return tuple(each for each in self.statements if isinstance(each, str))


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a migration: done or not, as a whole.

    Attributes:
        operation: Which row of the catalogue of risks it is.
        table: What it changes.
        description: What it does, in a few words.
        work: What is run.
        undo: What takes it back; None if nothing can.
        is_lossy: Whether *undo* loses what was stored since.
        risk: What it may do to others.
        reason: Why.
        lock: The lock it takes on the table, as the database calls it; None for none.
        is_rewrite: Whether each row is written anew.
        estimate_s: How long it takes, about, in seconds.
        alternative: What is safer, or empty.
        before: What must hold before anything is done.
    """

    operation: str
    table: str
    description: str
    work: Work
    undo: Work | None = None
    is_lossy: bool = False
    risk: Risk = Risk.LOW
    reason: str = ""
    lock: str | None = None
    is_rewrite: bool = False
    estimate_s: float = 0.0
    alternative: str = ""
    before: tuple[Proof, ...] = ()

    @property
    def operation_type(self) -> str:
        """The same as *operation*."""
        return self.operation

    @property
    def table_name(self) -> str:
        """The same as *table*."""
        return self.table

    @property
    def sql_up(self) -> str:
        """What is run, as a script."""
        return _script(self.work)

    @property
    def sql_down(self) -> str:
        """What takes it back, as a script; empty if nothing can."""
        return "" if self.undo is None else _script(self.undo)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return {
            "operation": self.operation,
            "table": self.table,
            "description": self.description,
            "risk": self.risk.name,
            "reason": self.reason,
            "lock": self.lock,
            "rewrite": self.is_rewrite,
            "estimate_s": round(self.estimate_s, 3),
            "alternative": self.alternative,
            "sql": [*_lines(self.work)],
            "undo": None if self.undo is None else [*_lines(self.undo)],
            "lossy": self.is_lossy,
        }


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A migration: steps in order.

    Attributes:
        dialect: Of the database.
        steps: What is to be done.
        problems: What keeps it from being done.
        notes: What is left alone though no model asks for it.
    """

    dialect: str
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.problems)

    @property
    def operations(self) -> tuple[Step, ...]:
        """The same as *steps*."""
        return self.steps

    @property
    def risk(self) -> Risk:
        """The greatest risk of a step."""
        return max((step.risk for step in self.steps), default=Risk.LOW)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables it changes, by name."""
        return tuple(sorted({step.table for step in self.steps}))

    @cached_property
    def checksum(self) -> str:
        """A digest of what is run."""
        said = [[step.description, *_lines(step.work)] for step in self.steps]
        return sha256(msgspec.json.encode(said)).hexdigest()

    def plain(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return {
            "dialect": self.dialect,
            "checksum": self.checksum,
            "risk": self.risk.name,
            "steps": [step.plain() for step in self.steps],
            "problems": [*self.problems],
            "notes": [*self.notes],
        }

    def describe(self) -> str:
        """Say what it does, as lines for a reader."""
        if not self:
            return "nothing to do: the database is as the models ask"
        lines = [f"{len(self.steps)} steps, risk {self.risk.name}"]
        for number, step in enumerate(self.steps, 1):
            lines += _described(number, step)
        lines += [f"problem: {each}" for each in self.problems]
        lines += [f"note: {each}" for each in self.notes]
        return "\n".join(lines)


def _described(number: int, step: Step) -> list[str]:
    lock = f", lock {step.lock}" if step.lock else ""
    rewrite = ", rewrites the table" if step.is_rewrite else ""
    about = f", about {step.estimate_s:.1f} s" if step.estimate_s >= _TOLD_S else ""
    lines = [
        f"{number:3}. [{step.risk.name}] {step.description}{lock}{rewrite}{about}",
        f"     why: {step.reason}",
    ]
    if step.risk > Risk.LOW and step.alternative:
        lines.append(f"     safer: {step.alternative}")
    if step.undo is None:
        lines.append("     cannot be undone")
    elif step.is_lossy:
        lines.append("     undoing it loses what was stored since")
    return lines + [f"     {line}" for line in _lines(step.work)]


_TOLD_S = 0.05
"""Seconds from which on an estimate is worth a word."""


def _script(work: Work) -> str:
    return "\n".join(_lines(work))


def _lines(work: Work) -> list[str]:
    """Return what is run, a line for each statement."""
    lines = [f"{each};" for each in work.sql]
    fill = work.backfill
    if fill is not None and work.mode != "backfill":
        lines.append(
            f"-- values of {fill.column} that rows were given are taken back if the "
            "migration fails; undone later, they stay"
        )
    elif fill is not None:
        value = fill.literal or "a value made for each row"
        lines.append(
            f"UPDATE {fill.table} SET {fill.column} = {value} "
            f"WHERE {fill.column} IS NULL; -- in batches"
        )
    if work.objects_of is not None:
        lines.append(f"-- then the triggers and indexes of {work.objects_of} as before")
    return lines
