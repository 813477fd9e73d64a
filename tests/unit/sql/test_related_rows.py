from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dataflow.errors import StoredValueError
from dataflow.models import Family, Relation, declare, field
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Dialect,
    RowCodec,
    Statement,
    parse,
    related_rows,
)


class Customer:
    at: datetime


class Order:
    customer_id: int = field(references="Customer")


class Blob:
    digest: bytes = field(primary_key=True)


class Use:
    blob_id: bytes = field(references="Blob")


class Line:
    order_id: int = field(primary_key=True)
    number: int = field(primary_key=True)


class Remark:
    order_id: int
    number: int
    __foreign_keys__ = [  # noqa: RUF012
        {"fields": ["order_id", "number"], "references": "Line"}
    ]


class Shelf:
    __dataflow__ = {"soft_delete": True}  # noqa: RUF012


class Book:
    shelf_id: int = field(references="Shelf")


FAMILY = Family()
for cls in (Customer, Order, Blob, Use, Line, Remark):
    FAMILY.add(declare(cls, FAMILY))


def relation(model: str, name: str) -> Relation:
    return FAMILY.models[model].relations[name]


def select(model: str, name: str, dialect: Dialect, *keys: list[object]) -> Statement:
    return related_rows(relation(model, name), dialect).select(keys)


def test_one_statement_asks_for_the_rows_of_all_keys() -> None:
    postgresql = select("Order", "customer", POSTGRESQL, [5, 6])
    sqlite = select("Order", "customer", SQLITE, [5, 6])

    assert postgresql.text == (
        'SELECT "$t"."id", "$t"."at", "$g".place - 1 FROM '
        'unnest(COALESCE($1, ARRAY(SELECT "id" FROM "customers" WHERE false))) '
        'WITH ORDINALITY AS "$g"(k0, place) JOIN "customers" AS "$t" '
        'ON "$t"."id" = "$g".k0'
    )
    assert sqlite.text == (
        'SELECT "$t"."id", "$t"."at", "$g".key FROM json_each(?1) AS "$g" '
        'CROSS JOIN "customers" AS "$t" ON "$t"."id" = "$g".value'
    )
    assert (list(postgresql.parameters), list(sqlite.parameters)) == (
        [[5, 6]],
        ["[5,6]"],
    )


def test_rows_of_ints_need_no_place() -> None:
    alone = [
        related_rows(relation("Order", "customer"), dialect).select_alone([5, 6])
        for dialect in (POSTGRESQL, SQLITE)
    ]

    head = 'SELECT "$t"."id", "$t"."at" FROM "customers" AS "$t" WHERE "$t"."id" '
    assert [each.text.removeprefix(head) for each in alone] == [
        "= ANY($1)",
        "IN (SELECT value FROM json_each(?1))",
    ]
    assert [list(each.parameters) for each in alone] == [[[5, 6]], ["[5,6]"]]


def test_deleted_rows_are_not_related() -> None:
    family = Family()
    for cls in (Shelf, Book):
        family.add(declare(cls, family))
    statements = related_rows(family.models["Book"].relations["shelf"], SQLITE)

    for statement in (statements.select_alone([1]), statements.select([[1]])):
        assert statement.text.endswith(' AND "$t"."deleted_at" IS NULL')


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])
@pytest.mark.parametrize(
    ("model", "name"),
    [("Customer", "orders"), ("Use", "blob"), ("Remark", "line")],
)
def test_python_tells_whose_a_row_is_only_where_it_compares_as_databases_do(
    model: str, name: str, dialect: Dialect
) -> None:
    assert related_rows(relation("Order", "customer"), dialect).is_exact
    assert not related_rows(relation(model, name), dialect).is_exact


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])
def test_many_rows_come_by_key(dialect: Dialect) -> None:
    assert select("Customer", "orders", dialect, [1]).text.endswith(
        ' ORDER BY "$t"."id"'
    )


def test_keys_that_json_does_not_hold_travel_one_by_one() -> None:
    statement = select("Use", "blob", SQLITE, [b"a", b"b"])

    assert '(VALUES (?1, ?2), (?3, ?4)) AS "$g"' in statement.text
    assert '"$g".column2 FROM' in statement.text
    assert list(statement.parameters) == [b"a", 0, b"b", 1]


def test_keys_of_several_fields_stay_together() -> None:
    postgresql = select("Remark", "line", POSTGRESQL, [1, 2], [3, 4])
    sqlite = select("Remark", "line", SQLITE, [1, 2], [3, 4])

    assert '"$t"."order_id" = "$g".k0 AND "$t"."number" = "$g".k1' in postgresql.text
    assert list(postgresql.parameters) == [[1, 2], [3, 4]]
    assert '= "$g".column1 AND "$t"."number" = "$g".column2' in sqlite.text
    assert list(sqlite.parameters) == [1, 3, 0, 2, 4, 1]


def test_a_statement_takes_no_more_keys_than_the_database() -> None:
    assert related_rows(relation("Order", "customer"), SQLITE).max_keys == 10_000
    composite = related_rows(relation("Remark", "line"), SQLITE)
    n_keys = composite.max_keys

    assert 3 * n_keys <= SQLITE.max_parameters
    assert len(composite.select([[1] * n_keys] * 2).parameters) == 3 * n_keys


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])
def test_what_else_must_hold_of_a_related_row_can_be_said(dialect: Dialect) -> None:
    found = relation("Customer", "orders")
    where = parse({"customer.id": 7}, found.target)
    statement = related_rows(found, dialect).select([[1]], where)

    assert " WHERE EXISTS (SELECT 1" in statement.text
    assert '= "$t"."customer_id") ORDER BY' in statement.text
    assert statement.parameters[-1] == 7


def test_a_row_comes_with_the_place_of_its_key() -> None:
    decode = RowCodec(FAMILY.models["Customer"], SQLITE).decode_placed
    at = "2026-01-02T03:04:05.000000+00:00"
    expected = {"id": 1, "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}

    assert decode([(1, at, 4)]) == [(4, expected)]
    with pytest.raises(StoredValueError):
        decode([(1, at, 4), (1, "noon", 5)])
