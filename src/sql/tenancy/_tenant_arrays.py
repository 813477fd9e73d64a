"""Statements for many messages at once, all of one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, final

from .._statement import Statement
from ..tables import ArrayStatements

__all__ = ["TenantArrays"]

Values = Mapping[str, Any]


class Owner(Protocol):
    """What says whose the rows are; see `TenantTable`."""

    def new(self, values: Values) -> dict[str, Any]:
        """Return the values of a new row."""
        ...

    def stamped(self, values: Values) -> dict[str, Any]:
        """Return values with those that are the same in every row."""
        ...

    def changes(self, changes: Values) -> dict[str, Any]:
        """Return what changes of a row."""
        ...

    def check_names(self, names: Iterable[str]) -> None:
        """Check that rows may say these."""
        ...


@final
class TenantArrays(ArrayStatements):
    """Array statements about the rows of one tenant.

    Args:
        base: Makes statements about all rows.
        owner: Says whose the rows are.
    """

    def __init__(self, base: ArrayStatements, owner: Owner) -> None:
        self.__dict__.update(base.__dict__)
        self._base = base
        self._owner = owner

    def insert(self, names: tuple[str, ...], rows: Sequence[Values]) -> Statement:
        """Insert rows that have *names*; yields whole rows, in the order given."""
        del names
        made = list(map(self._owner.new, rows))
        return self._base.insert(tuple(made[0]), made)

    def read(self, keys: Sequence[Values]) -> Statement:
        """Select the rows with any of *keys*; yields whole rows and the place."""
        return self._base.read(self._whole(keys))

    def update(
        self,
        names: tuple[str, ...],
        keys: Sequence[Values],
        changes: Sequence[Values],
    ) -> Statement:
        """Apply to each of *keys*, all different, its changes of *names*.

        What changes nothing but says the tenant sets that: it stays as it is.
        """
        del names
        left = [
            self._owner.changes(each) or self._owner.stamped({}) for each in changes
        ]
        return self._base.update(tuple(left[0]), self._whole(keys), left)

    def delete(self, keys: Sequence[Values]) -> Statement:
        """Delete the rows with any of *keys*; yields their keys and the place."""
        return self._base.delete(self._whole(keys))

    def _whole(self, keys: Sequence[Values]) -> list[dict[str, Any]]:
        return list(map(self._owner.stamped, keys))
