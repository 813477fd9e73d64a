"""Filters over relations, without a database."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow.errors import FilterError, ModelError, RelationNotLoadedError
from dataflow.models import Family, declare, field
from dataflow.sql import (
    ALL,
    NOTHING,
    POSTGRESQL,
    QUANTIFIERS,
    SQLITE,
    Dialect,
    Not,
    Related,
    evaluate,
    parse,
    related,
    table_of,
)


class Customer:
    country: str


class Order:
    customer_id: int | None = field(references="Customer")
    total: int
    tags: list[str]
    meta: dict[str, Any]


class Employee:
    boss_id: int | None = field(references="Employee", backref="staff")
    name: str
    __tablename__ = "$r1"


class Stray:
    shop_id: int = field(references="Shop")


FAMILY = Family()
for cls in (Customer, Order, Employee, Stray):
    FAMILY.add(declare(cls, FAMILY))
MODELS = FAMILY.models


def where(
    model: str, given: object, dialect: Dialect = POSTGRESQL
) -> tuple[str, list[Any]]:
    """Return what is behind WHERE, and the parameters."""
    found = MODELS[model]
    statement = table_of(found, dialect).count(parse(given, found))
    return statement.text.partition(" WHERE ")[2], list(statement.parameters)


def refusal(model: str, given: object) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse(given, MODELS[model])
    return caught.value


# -- text -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"customer": {"country": "DE"}},
        {"customer": {"$some": {"country": "DE"}}},
        {"customer.country": "DE"},
    ],
)
def test_a_related_row_is_asked_for_in_three_ways(given: dict[str, Any]) -> None:
    text = (
        'EXISTS (SELECT 1 FROM "customers" AS "$r1" WHERE "$r1"."country" = {} '
        'AND "$r1"."id" = "orders"."customer_id")'
    )

    assert where("Order", given) == (text.format("$1"), ["DE"])
    assert where("Order", given, SQLITE) == (text.format("?1"), ["DE"])


def test_none_and_every_are_said_without_a_third_truth() -> None:
    start = 'NOT EXISTS (SELECT 1 FROM "orders" AS "$r1" WHERE '
    end = ' AND "$r1"."customer_id" = "customers"."id")'

    assert where("Customer", {"orders": {"$none": {"total": 1}}})[0] == (
        f'{start}"$r1"."total" = $1{end}'
    )
    assert where("Customer", {"orders": {"$every": {"total": 1}}})[0] == (
        f'{start}("$r1"."total" = $1) IS NOT TRUE{end}'
    )


def test_no_related_row_is_asked_for_by_none() -> None:
    text = 'EXISTS (SELECT 1 FROM "customers" AS "$r1" WHERE "$r1"."id" = '
    text += '"orders"."customer_id")'

    assert where("Order", {"customer": None})[0] == f"NOT {text}"
    assert where("Order", {"customer": {}})[0] == text


def test_tables_have_names_of_their_own_where_they_meet_themselves() -> None:
    text, parameters = where("Employee", {"boss.boss": {"name": "a"}, "name": "b"})

    assert text == (
        'EXISTS (SELECT 1 FROM "$r1" AS "#r1" WHERE '
        'EXISTS (SELECT 1 FROM "$r1" AS "#r2" WHERE "#r2"."name" = $1 '
        'AND "#r2"."id" = "#r1"."boss_id") '
        'AND "#r1"."id" = "$r1"."boss_id") AND "name" = $2'
    )
    assert parameters == ["a", "b"]


def test_what_is_inside_a_related_row_is_read_from_its_table() -> None:
    given = {"orders": {"$some": {"meta.a": "x", "tags": {"$elemMatch": {"$gt": "b"}}}}}

    assert 'json_each("$r1"."tags") AS "$each"' in where("Customer", given, SQLITE)[0]
    assert 'json_at("$r1"."meta", ?' in where("Customer", given, SQLITE)[0]
    assert 'unnest("$r1"."tags")' in where("Customer", given)[0]


def test_a_related_filter_stands_in_brackets_where_it_must() -> None:
    given = {"customer": {"$or": [{"country": "DE"}, {"id": 1}]}}

    assert (
        'WHERE ("$r1"."country" = $1 OR "$r1"."id" = $2) AND'
        in where("Order", given)[0]
    )


# -- trees ------------------------------------------------------------------------


def test_what_every_row_or_no_row_fulfils_is_told_as_such() -> None:
    model = MODELS["Customer"]

    assert parse({"orders": {"$every": {}}}, model) is ALL
    assert parse({"orders": {"$some": {"total": {"$in": []}}}}, model) is NOTHING
    assert parse({"orders": {"$none": {"total": {"$in": []}}}}, model) is ALL


def test_quantifiers_beside_each_other_must_all_hold() -> None:
    text, parameters = where(
        "Customer", {"orders": {"$some": {"total": 1}, "$none": {"total": 2}}}
    )

    assert text.startswith('NOT EXISTS (SELECT 1 FROM "orders" AS "$r1"')
    assert ' AND EXISTS (SELECT 1 FROM "orders" AS "$r2"' in text
    assert parameters == [2, 1]


def test_every_is_made_of_some() -> None:
    model = MODELS["Customer"]
    part = parse({"orders": {"$every": {"total": 1}}}, model)

    assert isinstance(part, Not)
    assert isinstance(part.part, Related)
    assert part.part.relation is model.relations["orders"]
    assert related(part.part.relation, NOTHING) is NOTHING
    assert set(QUANTIFIERS) == {"$some", "$every", "$none"}


# -- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "given", "path", "problem"),
    [
        ("Customer", {"ordrs": 1}, "ordrs", "did you mean 'orders'"),
        ("Customer", {"ordrs.a": 1}, "ordrs.a", "did you mean 'orders'"),
        ("Customer", {"orders": {"total": 1}}, "orders", "say of how many"),
        ("Customer", {"orders": {}}, "orders", "say of how many"),
        ("Customer", {"orders": None}, "orders", "takes a mapping, not None"),
        ("Customer", {"orders": {"$som": {}}}, "orders", "did you mean '$some'"),
        ("Customer", {"orders.total": 1}, "orders.total", "{'$some': {'total'"),
        (
            "Customer",
            {"orders": {"$some": {"totl": 1}}},
            "orders.$some.totl",
            "did you mean 'total'",
        ),
        (
            "Customer",
            {"orders": {"$some": {}, "total": 1}},
            "orders.$some",
            "stands beside",
        ),
        ("Customer", {"orders": {"$some": 5}}, "orders.$some", "expected a mapping"),
        ("Order", {"customer": 5}, "customer", "takes a mapping or None, not int"),
        ("Order", {"customer.": 5}, "customer.", "a name between its dots"),
        ("Order", {"customer.contry": 5}, "customer.contry", "mean 'country'"),
        ("Order", {"customer": {"$gt": 5}}, "customer.$gt", "unknown operator"),
        (
            "Order",
            {"customer": {"orders": {"$some": {"total": "x"}}}},
            "customer.orders.$some.total",
            "int",
        ),
        (
            "Employee",
            {".".join(["boss"] * 9) + ".name": 1},
            ".".join(["boss"] * 9) + ".name",
            "at most 8 relations",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_where_it_stands(
    model: str, given: object, path: str, problem: str
) -> None:
    error = refusal(model, given)

    assert problem in str(error)
    assert error.path == path


def test_related_filters_count_for_the_limits() -> None:
    wide = {"$and": [{"staff": {"$some": {"name": str(n)}}} for n in range(400)]}
    deep: dict[str, Any] = {"name": "a"}
    for _ in range(31):
        deep = {"$not": deep}

    assert "at most 1000 conditions" in str(refusal("Employee", wide))
    assert "at most 32 deep" in str(refusal("Employee", {"boss": deep}))


def test_a_relation_that_cannot_be_resolved_is_refused_once_it_may_be_meant() -> None:
    assert parse({"shop_id": 1}, MODELS["Stray"]) is not ALL
    with pytest.raises(ModelError, match="no model 'Shop'"):
        parse({"shop": {}}, MODELS["Stray"])


# -- Python -----------------------------------------------------------------------


def test_python_looks_at_the_rows_that_come_with_a_row() -> None:
    model = MODELS["Customer"]
    row = {"id": 1, "country": "DE", "orders": [{"total": 1}, {"total": 2}]}

    assert evaluate(parse({"orders": {"$some": {"total": 2}}}, model), row)
    assert not evaluate(parse({"orders": {"$every": {"total": 2}}}, model), row)
    assert evaluate(parse({"orders": {"$none": {"total": 3}}}, model), row)
    assert evaluate(parse({"orders": {"$every": {"total": 3}}}, model), {"orders": []})


def test_python_takes_a_row_that_is_not_there_for_none() -> None:
    model = MODELS["Order"]

    assert evaluate(parse({"customer": None}, model), {"customer": None})
    assert evaluate(
        parse({"customer": {"$every": {"id": 1}}}, model), {"customer": None}
    )
    assert not evaluate(parse({"customer.id": 1}, model), {"customer": None})
    assert evaluate(parse({"customer.id": 1}, model), {"customer": {"id": 1}})


def test_python_says_which_relation_a_row_was_read_without() -> None:
    part = parse({"customer.country": "DE"}, MODELS["Order"])
    with pytest.raises(RelationNotLoadedError, match="include=") as caught:
        evaluate(part, {"id": 1, "customer_id": 1})

    assert (caught.value.model, caught.value.relation) == ("Order", "customer")
