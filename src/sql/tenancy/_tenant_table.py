"""The table of a model with tenants, as one of them sees it.

Rules of this file:

1. Every statement is about rows of one tenant: the tenant is part of each key it looks
   for, of each filter, of each new row, and of what tells whether a row is there.
2. The tenant of a row never changes, and rows that say another one are refused.
3. A generated key is made by the database for all tenants together, so it cannot be
   given: whether another tenant has it already would be told by the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from ...errors import FieldValueError
from .._statement import Statement
from ..aggregates import Groups
from ..filters import ALL, Compare, Comparison, Filter, Term, conjunction
from ..tables import ArrayStatements, Table
from ._repair import repair_of_all
from ._tenant_arrays import TenantArrays

__all__ = ["TenantTable"]

Values = Mapping[str, Any]


@final
class TenantTable(Table):
    """Statements about the rows of one tenant.

    Args:
        base: Makes statements about all rows.
        tenant: Whose rows.
    """

    arrays: ArrayStatements

    def __init__(self, base: Table, tenant: str) -> None:
        self.__dict__.update(base.__dict__)
        self.__dict__.pop("decode", None)
        self.__dict__.pop("key_codec", None)
        name = base.model.tenant_field
        assert name is not None, "only such models have tenants"  # noqa: S101
        self._base = base
        self._name = name
        self._own = Compare(base.model.field(name), Comparison.EQ, tenant)
        self.fixed = {name: tenant}
        # Behind the parameters of a key, of which it is none.
        self._behind = base.encode(self.fixed)
        self.admit = self._admit
        self.arrays = TenantArrays(base.arrays, self)

    def _admit(
        self, new: frozenset[str] | None, changed: frozenset[str] | None
    ) -> None:
        """Check which fields rows name.

        Raises:
            FieldValueError: The generated key of a new row, or a new one, is given.
        """
        self.check_names((new or frozenset()) | (changed or frozenset()))

    def check_names(self, names: Iterable[str]) -> None:
        """Check that no generated key is to be stored.

        Raises:
            FieldValueError: It is.
        """
        key = self.model.generated_key
        if key is not None and key in names:
            expected = "nothing: the database makes the keys of all tenants"
            raise FieldValueError(self.model.name, key, "a value", expected)

    def _mine(self, where: Filter) -> Filter:
        return conjunction((where, self._own))

    def new(self, values: Values) -> dict[str, Any]:
        """Return the values of a new row.

        Raises:
            TenantMismatchError: It is for another tenant.
            FieldValueError: It has a generated key.
        """
        self.check_names(values)
        return self.stamped(values)

    def changes(self, changes: Values) -> dict[str, Any]:
        """Return what changes of a row: never its tenant.

        Raises:
            TenantMismatchError: It would go to another tenant.
            FieldValueError: It would get another generated key.
        """
        self.check_names(changes)
        if self._name not in changes:
            return dict(changes)
        self.stamped(changes)
        return {name: changes[name] for name in changes if name != self._name}

    def _names(self, names: Iterable[str]) -> tuple[str, ...]:
        return (*(name for name in names if name != self._name), self._name)

    def _stamped(self, rows: Iterable[Values]) -> list[dict[str, Any]]:
        return list(map(self.stamped, rows))

    # -- one row ----------------------------------------------------------------

    def insert(self, values: Values) -> Statement:
        """Insert one row; yields it whole."""
        return self._base.insert(self.new(values))

    def read(self, key: Values) -> Statement:
        """Select the row of a key."""
        # The tenant is encoded once: 1 of the 3 us that it costs to read for one.
        parameters = (*self._base.encode(key), *self._behind)
        return Statement(self._read_text, parameters, returns_rows=True, is_brief=True)

    def update_key(self, key: Values, changes: Values) -> Statement:
        """Change the row of a key; yields it whole."""
        left = self.changes(changes)
        if not left:
            return self.read(key)
        return self._base.update_key({**key, **self.fixed}, left)

    def delete_key(self, key: Values) -> Statement:
        """Delete the row of a key; yields the key."""
        return self._base.delete_key({**key, **self.fixed})

    def read_key(self, names: Sequence[str], values: Values) -> Statement:
        """Select the key of the row that has *values* in the fields *names*."""
        return self._base.read_key(self._names(names), {**values, **self.fixed})

    def upsert(
        self, values: Values, conflict: Sequence[str], changes: Values
    ) -> list[Statement]:
        """Insert *values*, or apply *changes* to the row with the same *conflict*."""
        return self._base.upsert(
            self.new(values), self._names(conflict), self.changes(changes)
        )

    # -- by filter --------------------------------------------------------------

    def select(
        self,
        where: Filter = ALL,
        *,
        order: Sequence[Term] = (),
        limit: int | None = None,
        offset: int = 0,
        names: Sequence[str] | None = None,
        decoded: bool = False,
    ) -> Statement:
        """Select rows of the tenant."""
        return self._base.select(
            self._mine(where),
            order=order,
            limit=limit,
            offset=offset,
            names=names,
            decoded=decoded,
        )

    def count(self, where: Filter = ALL) -> Statement:
        """Count rows of the tenant."""
        return self._base.count(self._mine(where))

    def select_groups(
        self,
        groups: Groups,
        where: Filter = ALL,
        *,
        having: Filter = ALL,
        order: Sequence[Term] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> Statement:
        """Select groups of rows of the tenant."""
        return self._base.select_groups(
            groups,
            self._mine(where),
            having=having,
            order=order,
            limit=limit,
            offset=offset,
        )

    def count_groups(self, groups: Groups, where: Filter = ALL) -> Statement:
        """Count groups of rows of the tenant."""
        return self._base.count_groups(groups, self._mine(where))

    def update(
        self, where: Filter, changes: Values, *, returning: bool = False
    ) -> Statement:
        """Change rows of the tenant; yields them whole if asked."""
        left = self.changes(changes) or self.stamped({})
        return self._base.update(self._mine(where), left, returning=returning)

    def delete(self, where: Filter, *, returning: bool = False) -> Statement:
        """Delete rows of the tenant; yields their keys if asked."""
        return self._base.delete(self._mine(where), returning=returning)

    def delete_keys(self, columns: Sequence[Sequence[Any]]) -> Statement:
        """Delete the rows with any of many keys."""
        tenants = [self._own.value] * len(columns[0])
        return self._base.delete_keys([*columns, tenants])

    # -- many rows --------------------------------------------------------------

    def insert_many(
        self,
        names: Sequence[str],
        rows: Iterable[Values],
        *,
        conflict: Sequence[str] | None = None,
        returning: bool = False,
    ) -> Statement:
        """Insert rows of the same columns; yields the keys of those inserted if asked."""
        self.check_names(names)
        return self._base.insert_many(
            self._names(names),
            self._stamped(rows),
            conflict=None if conflict is None else self._names(conflict),
            returning=returning,
        )

    def upsert_many(
        self,
        names: Sequence[str],
        rows: Sequence[Values],
        conflict: Sequence[str],
        changed: Sequence[str],
    ) -> list[Statement]:
        """Insert rows, or set columns of those that agree in *conflict*."""
        self.check_names(names)
        changed = [name for name in changed if name != self._name]
        return self._base.upsert_many(
            self._names(names), self._stamped(rows), self._names(conflict), changed
        )

    def update_many(
        self, rows: Sequence[Values], key: Sequence[str], changed: Sequence[str]
    ) -> Statement:
        """Set columns of the rows that agree in *key*; yields their keys."""
        left = [name for name in changed if name != self._name]
        return self._base.update_many(
            self._stamped(rows), self._names(key), left or [self._name]
        )

    def select_each(self, names: Sequence[str], rows: Iterable[Values]) -> Statement:
        """Select, for each of *rows*, the row that agrees with it in *names*."""
        return self._base.select_each(self._names(names), self._stamped(rows))

    def repair_key(self) -> Statement | None:
        """Return what moves the sequence of the generated key past the keys there are."""
        return repair_of_all(self._base)
