from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest

from dataflow.errors import FilterError, StoredValueError
from dataflow.models import Digits, declare
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Dialect,
    Groups,
    parse,
    parse_aggregates,
    table_of,
)


class Sale:
    country: str | None
    amount: int
    price: Annotated[Decimal, Digits(10, 2)]
    free: Decimal
    mark: UUID


SALE = declare(Sale)
HOSTILE = 'x" FROM sales; DROP TABLE sales; --'


def groups(by: list[str], **aggregates: dict[str, str]) -> Groups:
    asked = parse_aggregates(aggregates or {"n": {"$count": "*"}}, SALE, by)
    return Groups(SALE, [SALE.field(name) for name in by], asked, "SaleAggregateNode")


def test_groups_are_made_inside_and_asked_for_outside() -> None:
    made = groups(["country"])
    statement = table_of(SALE, POSTGRESQL).select_groups(
        made,
        parse({"amount": {"$gt": 5}}, SALE),
        having=made.having({"n": {"$gte": 2}, "country": {"$ne": None}}),
        order=made.order("-n"),
        limit=3,
        offset=4,
    )

    assert statement.text == (
        'SELECT "g0", "a0" FROM (SELECT "country" COLLATE "C" AS "g0", '
        'count(*) AS "a0" FROM "sales" WHERE "amount" > $1 GROUP BY 1) AS "groups" '
        'WHERE "g0" IS NOT NULL AND "a0" >= $2 '
        'ORDER BY "a0" DESC, "g0" COLLATE "C" NULLS FIRST LIMIT $3 OFFSET $4'
    )
    assert statement.parameters == [5, 2, 3, 4]


def test_all_rows_are_one_group_without_an_order() -> None:
    made = groups([])
    statement = table_of(SALE, SQLITE).select_groups(made, order=made.order(None))

    assert statement.text == (
        'SELECT "a0" FROM (SELECT count(*) AS "a0" FROM "sales") AS "groups"'
    )


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE], ids=lambda it: it.name)
def test_an_alias_is_no_part_of_the_text(dialect: Dialect) -> None:
    made = Groups(SALE, (), parse_aggregates({HOSTILE: {"$max": "mark"}}, SALE, ()))
    statement = table_of(SALE, dialect).select_groups(
        made,
        having=made.having({HOSTILE: UUID(int=1)}),
        order=made.order({HOSTILE: -1}),
    )

    assert "DROP" not in statement.text


def test_exact_numbers_are_compared_as_such_on_sqlite() -> None:
    made = groups(["country"], total={"$sum": "amount"}, free={"$avg": "free"})
    statement = table_of(SALE, SQLITE).select_groups(
        made,
        having=made.having({"total": {"$gt": 2**64}, "free": Decimal("1.5")}),
        order=made.order("total"),
    )

    assert statement.text.endswith(
        'WHERE "a0" COLLATE DECIMAL > ?1 AND "a1" COLLATE DECIMAL = ?2 '
        'ORDER BY "a0" COLLATE DECIMAL NULLS FIRST, "g0" NULLS FIRST'
    )
    assert statement.parameters == ["18446744073709551616", "1.5"]


def test_groups_are_counted() -> None:
    statement = table_of(SALE, SQLITE).count_groups(
        groups(["price", "free"]), parse({"amount": 1}, SALE)
    )

    assert statement.text == (
        'SELECT count(*) FROM (SELECT "price" AS "g0", '
        '"free" COLLATE DECIMAL AS "g1", count(*) AS "a0" FROM "sales" '
        'WHERE "amount" = ?1 GROUP BY 1, 2) AS "groups"'
    )
    assert statement.parameters == [1]


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    [
        ({"nn": 1}, "having.nn", "SaleAggregateNode has no 'nn': did you mean 'n'?"),
        ({"free": 1}, "having.free", "valid names are country, n"),
        ({"n": {"$gt": "1"}}, "having.n.$gt", "takes int"),
        ([], "having", "expected a mapping, not list"),
    ],
    ids=str,
)
def test_an_error_says_that_it_is_behind_having(
    given: Any, path: str, problem: str
) -> None:
    with pytest.raises(FilterError) as caught:
        groups(["country"]).having(given)

    assert caught.value.path == path
    assert problem in caught.value.problem


def decoded(row: tuple[Any, ...], **aggregates: dict[str, str]) -> list[Any]:
    made = groups(["price"], **aggregates)
    statement = table_of(SALE, SQLITE).select_groups(made)
    assert statement.decode is not None
    return list(statement.decode([row])[0].values())


def test_values_are_those_of_fields() -> None:
    found = decoded(
        (150, "7", "10.0000000000000000", "2.500", "1.4500000000000000"),
        sum={"$sum": "amount"},
        mean={"$avg": "amount"},
        cost={"$avg": "price"},
        free={"$avg": "free"},
    )

    assert list(map(str, found)) == ["1.50", "7", "10", "2.50", "1.45"]
    assert decoded((None, 3)) == [None, 3]


def test_a_value_that_its_field_does_not_store_is_named() -> None:
    with pytest.raises(StoredValueError) as caught:
        decoded((1, "NaN"), total={"$sum": "amount"})

    assert (caught.value.model, caught.value.field) == ("Sale", "amount")
    assert caught.value.expected == "int"
