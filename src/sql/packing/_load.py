"""What stores packed rows, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from .._statement import Result, Statement

__all__ = ["Load", "Loaded"]


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """What became of packed rows.

    Attributes:
        inserted: How many are new.
        updated: How many were there, and changed.
        keys: Keys of the rows inserted or changed, each as the database gives its
            columns, in the order of the rows; None where nobody asked, or if they
            cannot be told: then nothing must be kept.
    """

    inserted: int = 0
    updated: int = 0
    keys: Sequence[Sequence[Any]] | None = None


class Load(msgspec.Struct, frozen=True, eq=False):
    """Statements for one transaction.

    Attributes:
        statements: What to run, all or nothing.
        read: Makes sense of their results.
    """

    statements: Sequence[Statement]
    read: Callable[[Sequence[Result]], Loaded]
