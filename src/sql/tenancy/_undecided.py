"""The table of a model with tenants, before it is known for whom."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Final, NoReturn, final

from ...errors import TenantRequiredError
from ..tables import Table
from ._all_tenants import AllTenants
from ._tenant_table import TenantTable

__all__ = ["STATEMENTS", "Undecided"]

_TENANTS: Final = 1024
"""Tables kept for tenants that were served last; one takes 1 µs to make."""

STATEMENTS: Final = (
    *(
        "count",
        "count_groups",
        "select_groups",
        "delete",
        "delete_key",
        "delete_keys",
        "insert",
        "insert_many",
    ),
    *("read", "read_key", "repair_key", "select", "select_each", "update"),
    *("update_key", "update_many", "upsert", "upsert_many"),
)
"""What makes statements: none of it may be done for nobody."""


@final
class Undecided(Table):
    """Makes no statement: it says which tables do, for one tenant or for all.

    Args:
        base: Makes statements about all rows.
    """

    def __init__(self, base: Table) -> None:
        self.__dict__.update(base.__dict__)
        self._base = base
        self.of = lru_cache(_TENANTS)(self._make)
        self.of_all = AllTenants(base)

    @cached_property
    def stored(self) -> Undecided:
        """The same with deleted rows in it."""
        stored = self._base.stored
        return self if stored is self._base else Undecided(stored)

    def _make(self, tenant: str) -> TenantTable:
        """Return the table as it is for one tenant."""
        return TenantTable(self._base, tenant)


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: Undecided, *_: object, **__: object) -> NoReturn:
        raise TenantRequiredError(self.model.name)

    refuse.__name__ = name
    refuse.__doc__ = "Refuse: nobody said for whom."
    return refuse


for _name in STATEMENTS:
    setattr(Undecided, _name, _refusing(_name))
