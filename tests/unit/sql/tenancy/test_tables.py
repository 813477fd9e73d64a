"""Tables of models with tenants: nothing they make is about anybody's rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dataflow.errors import TenantMismatchError, TenantRequiredError, TenantScopeError
from dataflow.models import declare, field
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Dialect,
    Groups,
    Table,
    Undecided,
    table_of,
    whole_table,
)
from dataflow.sql.tenancy import AllTenants, TenantTable
from dataflow.sql.tenancy._undecided import STATEMENTS


class Item:
    code: str = field(primary_key=True)
    n: int = 0

    __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it


MODEL = declare(Item)


def _makers() -> set[str]:
    """Return the names of what makes statements, by what it says it returns."""
    methods = inspect.getmembers(Table, inspect.isfunction)
    return {
        name
        for name, method in methods
        if not name.startswith("_")
        and "Statement" in str(inspect.signature(method).return_annotation)
        and name not in {"cleared", "recorded"}
    }


def test_everything_that_makes_statements_is_refused_for_nobody() -> None:
    assert set(STATEMENTS) == _makers()

    table = table_of(MODEL, SQLITE)
    for name in STATEMENTS:
        with pytest.raises(TenantRequiredError, match="Item works for one tenant"):
            getattr(table, name)()


def test_everything_that_makes_statements_is_made_for_one_tenant() -> None:
    assert _makers() <= vars(TenantTable).keys()


def test_across_tenants_only_filters_make_statements() -> None:
    made = _makers() - vars(AllTenants).keys()

    assert made == {
        *("count", "count_groups", "delete", "repair_key"),
        *("select", "select_groups", "update"),
    }


def test_across_tenants_nothing_goes_by_keys() -> None:
    table = whole_table(MODEL, SQLITE)
    row = {"code": "a"}
    calls: list[Callable[[], object]] = [
        partial(table.insert, row),
        partial(table.read, row),
        partial(table.update_key, row, {"n": 1}),
        partial(table.delete_key, row),
        partial(table.read_key, ["code"], row),
        partial(table.upsert, row, ["code"], {}),
        partial(table.delete_keys, [["a"]]),
        partial(table.insert_many, ["code"], [row]),
        partial(table.upsert_many, ["code"], [row], ["code"], []),
        partial(table.update_many, [row], ["code"], ["n"]),
        partial(table.select_each, ["code"], [row]),
        partial(table.cleared, ()),
    ]

    for call in calls:
        with pytest.raises(TenantScopeError, match="no key of its own"):
            call()
    assert "tenant_id" not in table.count().text


def test_a_table_without_tenants_is_the_whole_table() -> None:
    model = declare(type("Plain", (), {}))

    assert whole_table(model, SQLITE) is table_of(model, SQLITE)
    assert table_of(model, SQLITE).stored is table_of(model, SQLITE)
    undecided = table_of(MODEL, SQLITE)
    assert undecided.stored is undecided


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_every_statement_has_the_tenant_among_its_values(dialect: Dialect) -> None:
    table = _table(dialect, "t1")
    row = {"code": "a", "n": 1}
    groups = Groups(MODEL, (MODEL.field("n"),), (), "Item")
    made: list[Any] = [
        table.count(),
        table.count_groups(groups),
        table.select_groups(groups),
        table.delete(table_filter(table)),
        table.delete_key({"code": "a"}),
        table.delete_keys([["a", "b"]]),
        table.insert(row),
        table.insert_many(["code", "n"], [row], conflict=["code"]),
        table.read({"code": "a"}),
        table.read_key(["code"], row),
        table.select(),
        table.select_each(["code"], [row]),
        table.update(table_filter(table), {"n": 2}),
        table.update_key({"code": "a"}, {"n": 2}),
        table.update_key({"code": "a"}, {"tenant_id": "t1"}),
        table.update_many([row], ["code"], ["n"]),
        *table.upsert(row, ["code"], {"n": 2}),
        *table.upsert_many(["code", "n"], [row], ["code"], ["n"]),
    ]
    if table.merges:
        made += [
            table.arrays.insert(("code", "n"), [row]),
            table.arrays.read([{"code": "a"}]),
            table.arrays.update(("n",), [{"code": "a"}], [{"n": 2}]),
            table.arrays.update(("n",), [{"code": "a"}], [{"tenant_id": "t1"}]),
            table.arrays.delete([{"code": "a"}]),
        ]

    for statement in made:
        assert "'t1'" in repr(statement.parameters), statement.text
        assert '"tenant_id"' in statement.text
        assert "t1" not in statement.text


def test_rows_for_another_tenant_are_refused() -> None:
    table = _table(POSTGRESQL, "t1")

    with pytest.raises(TenantMismatchError, match="tenant_id of Item"):
        table.insert({"code": "a", "tenant_id": "t2"})
    with pytest.raises(TenantMismatchError):
        table.arrays.insert(("code", "tenant_id"), [{"code": "a", "tenant_id": "t2"}])


def test_a_tenant_has_one_table_as_long_as_it_is_kept() -> None:
    assert _table(SQLITE, "t1") is _table(SQLITE, "t1")
    assert _table(SQLITE, "t1") is not _table(SQLITE, "t2")


def test_there_is_no_sequence_to_repair_where_keys_are_given() -> None:
    assert _table(POSTGRESQL, "t1").repair_key() is None


def _table(dialect: Dialect, tenant: str) -> TenantTable:
    table = table_of(MODEL, dialect)
    assert isinstance(table, Undecided)
    return table.of(tenant)


def table_filter(table: Table) -> Any:
    from dataflow.sql import Compare, Comparison  # noqa: PLC0415  for one filter

    return Compare(table.model.field("n"), Comparison.EQ, 1)
