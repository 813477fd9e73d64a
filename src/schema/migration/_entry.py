"""What the ledger says of one migration.

States: applying -> applied | failed | interrupted; applied -> rolled back.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from ._step import Work

__all__ = ["Entry", "EntryStep", "State"]

State: TypeAlias = Literal[
    "applying", "applied", "failed", "interrupted", "rolled back"
]


class EntryStep(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a step.

    Attributes:
        description: What it did.
        table: Which table it changed.
        risk: Name of its risk.
        sql: What was run.
        undo: What takes it back; None if nothing can.
        is_lossy: Whether that loses what was stored since.
    """

    description: str
    table: str
    risk: str
    sql: tuple[str, ...]
    undo: Work | None = None
    is_lossy: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One migration.

    Attributes:
        number: Counted from 1.
        parent: Checksum of the one before; empty for the first.
        checksum: Digest of the parent and of what this one does.
        state: What became of it.
        fingerprint: Of the models it was made for.
        steps: What it does, in order.
        names: Constraints and indexes that were asked for by the models.
        who: User, machine and process.
        started_at: When, in UTC.
        finished_at: When, in UTC; empty if it never did.
        error: Why it failed, or empty.
        backup: Where the backup is, or empty.
        digest: What told that nothing had changed since.
        durations: Seconds of each step that was done, by its number from 0.
    """

    number: int
    parent: str
    checksum: str
    state: State
    fingerprint: str
    steps: tuple[EntryStep, ...]
    names: tuple[str, ...]
    who: str
    started_at: str
    finished_at: str = ""
    error: str = ""
    backup: str = ""
    digest: str = ""
    durations: dict[int, float] = {}

    @property
    def duration_s(self) -> float:
        """Seconds that its steps took."""
        return sum(self.durations.values())

    @property
    def is_done(self) -> bool:
        """Whether the database was made as its models asked."""
        return self.state == "applied"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return {
            "number": self.number,
            "state": self.state,
            "checksum": self.checksum,
            "who": self.who,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "duration_s": round(self.duration_s, 6),
            "error": self.error,
            "backup": self.backup,
            "steps": [
                {
                    "description": step.description,
                    "risk": step.risk,
                    "sql": [*step.sql],
                    "duration_s": self.durations.get(number),
                    "lossy": step.is_lossy,
                }
                for number, step in enumerate(self.steps)
            ],
        }
