"""Statements with what has to be looked at around them, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .._statement import Result, Statement

__all__ = ["Guarded", "Probe", "RacedError", "clear"]


class RacedError(Exception):
    """Rows came between a look and a write: undo it, and do both again."""


class Probe(msgspec.Struct, frozen=True, eq=False):
    """A look at rows before a statement that may change them.

    Attributes:
        statement: What to run.
        review: Told what it gave; raises if the statement must not run.
    """

    statement: Statement
    review: Callable[[Result], None]


class Guarded(Statement, frozen=True, eq=False):
    """A statement that keeps to terms, if what is around it is done as well.

    Attributes:
        probes: To be run before it, in order.
        review: Told what it gave; returns what the caller gets, or raises if it must
            be undone. `RacedError` asks for another attempt.
    """

    probes: tuple[Probe, ...] = ()
    review: Callable[[Result], Result] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is around it."""
        return not self.probes and self.review is None


def clear(
    statement: Statement,
    probes: tuple[Probe, ...] = (),
    review: Callable[[Result], Result] | None = None,
) -> Guarded:
    """Return *statement*, of which it is known that it keeps to terms."""
    own: dict[str, Any] = msgspec.structs.asdict(statement)
    own.update(probes=probes, review=review)
    return Guarded(**own)
