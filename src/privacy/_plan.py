"""What an erasure does, as a value."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Erasure", "ErasureStep"]


class ErasureStep(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of rows of one model; it tells no value of them.

    Attributes:
        model: Name of the model.
        table: Its table.
        rows: How many.
        action: ``delete``, ``anonymise``, ``unlink`` (rows of others that referred to
            some that go) or ``keep``.
        fields: Names of the fields that change.
        reason: Why it is this, or None if the mode says so.
    """

    model: str
    table: str
    rows: int
    action: str
    fields: tuple[str, ...] = ()
    reason: str | None = None


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What is, or would be, done to erase a person.

    Attributes:
        subject: Name of the model of the person.
        mode: ``delete`` or ``anonymise``.
        steps: In their order, those that come first first.
        is_done: Whether it was done; a plan otherwise.
        run_id: Under which the audit has it; None of a plan.
        recorded: Names of the models whose audit has values of these rows, and keeps
            them: nothing is taken out of an audit. What is personal of them is sealed,
            and nobody can read it once the erasure is done.
    """

    subject: str
    mode: str
    steps: tuple[ErasureStep, ...]
    is_done: bool = False
    run_id: str | None = None
    recorded: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """How many rows are deleted or changed."""
        return sum(step.rows for step in self.steps if step.action != "keep")

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON holds."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
