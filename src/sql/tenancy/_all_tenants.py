"""The table of a model with tenants, for who looks after all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, final

from ...errors import TenantScopeError
from .._statement import Statement
from ..tables import Table

__all__ = ["AllTenants"]

_PROBLEM: Final = (
    "across tenants a row has no key of its own: find rows by a filter, or name the "
    "tenant by tenant_id"
)


@final
class AllTenants(Table):
    """Statements about rows of whichever tenant, found by filters only.

    Args:
        base: Makes the statements.
    """

    def __init__(self, base: Table) -> None:
        self.__dict__.update(base.__dict__)
        self.merges = False
        self.admit = self._admit

    def _admit(
        self, new: frozenset[str] | None, changed: frozenset[str] | None
    ) -> None:
        """Refuse rows of a load: each belongs to one tenant."""
        del new, changed
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TenantScopeError(self.model.name, _PROBLEM)

    def insert(self, values: Mapping[str, Any]) -> Statement:
        """Refuse: a row belongs to one tenant."""
        self._refuse()

    def read(self, key: Mapping[str, Any]) -> Statement:
        """Refuse: a key belongs to one tenant."""
        self._refuse()

    def update_key(
        self, key: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Statement:
        """Refuse: a key belongs to one tenant."""
        self._refuse()

    def delete_key(self, key: Mapping[str, Any]) -> Statement:
        """Refuse: a key belongs to one tenant."""
        self._refuse()

    def read_key(self, names: Sequence[str], values: Mapping[str, Any]) -> Statement:
        """Refuse: what is unique is so for one tenant."""
        self._refuse()

    def upsert(
        self,
        values: Mapping[str, Any],
        conflict: Sequence[str],
        changes: Mapping[str, Any],
    ) -> list[Statement]:
        """Refuse: a row belongs to one tenant."""
        self._refuse()

    def delete_keys(self, columns: Sequence[Sequence[Any]]) -> Statement:
        """Refuse: a key belongs to one tenant."""
        self._refuse()

    def insert_many(self, *_: object, **__: object) -> Statement:
        """Refuse: a row belongs to one tenant."""
        self._refuse()

    def upsert_many(self, *_: object, **__: object) -> list[Statement]:
        """Refuse: a row belongs to one tenant."""
        self._refuse()

    def update_many(self, *_: object, **__: object) -> Statement:
        """Refuse: a key belongs to one tenant."""
        self._refuse()

    def select_each(self, *_: object, **__: object) -> Statement:
        """Refuse: what is unique is so for one tenant."""
        self._refuse()

    def cleared(self, statements: Sequence[Statement]) -> Sequence[Statement]:
        """Refuse: rows of a load belong to one tenant."""
        self._refuse()
