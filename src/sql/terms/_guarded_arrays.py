"""Statements for many messages at once, whose terms are the same and static."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

from .._statement import Statement
from ..tables import ArrayStatements
from ._guarded import clear

__all__ = ["GuardedArrays"]

Values = Mapping[str, Any]


@final
class GuardedArrays(ArrayStatements):
    """Array statements whose fields are looked at.

    Args:
        base: Makes them.
        check: Told what is written, and which columns; may refuse.
    """

    def __init__(
        self, base: ArrayStatements, check: Callable[[str, Iterable[str]], None]
    ) -> None:
        self.__dict__.update(base.__dict__)
        self._base = base
        self._check = check

    def insert(self, names: tuple[str, ...], rows: Sequence[Values]) -> Statement:
        """Insert rows that have *names*; yields whole rows, in the order given."""
        self._check("create", names)
        return clear(self._base.insert(names, rows))

    def read(self, keys: Sequence[Values]) -> Statement:
        """Select the rows with any of *keys*; yields whole rows and the place."""
        return clear(self._base.read(keys))

    def update(
        self,
        names: tuple[str, ...],
        keys: Sequence[Values],
        changes: Sequence[Values],
    ) -> Statement:
        """Apply to each of *keys*, all different, its changes of *names*."""
        self._check("update", names)
        return clear(self._base.update(names, keys, changes))

    def delete(self, keys: Sequence[Values]) -> Statement:
        """Delete the rows with any of *keys*; yields their keys and the place."""
        return clear(self._base.delete(keys))
