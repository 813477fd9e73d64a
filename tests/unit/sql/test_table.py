from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pytest

from dataflow.errors import UnknownFieldError
from dataflow.models import Family, declare, field
from dataflow.sql import (
    NOTHING,
    POSTGRESQL,
    SQLITE,
    Arithmetic,
    Dialect,
    Operator,
    Result,
    Statement,
    parse,
    parse_order,
    table_of,
)


class User:
    name: str
    price: Decimal | None = None
    active: bool = True


class Line:
    order_id: int = field(primary_key=True)
    number: int = field(primary_key=True)
    sku: str
    __tablename__: ClassVar = 'odd "lines"'


USER, LINE = declare(User), declare(Line)
BOTH = pytest.mark.parametrize(
    "dialect", [POSTGRESQL, SQLITE], ids=lambda each: each.name
)


class Thing:
    name: str
    price: Decimal
    tags: list[str]
    owner_id: int | None = field(default=None, references="User", backref="things")
    meta: dict[str, Any]


FAMILY = Family()
THING = declare(Thing, FAMILY)
for model in (THING, declare(User, FAMILY)):
    FAMILY.add(model)


def test_there_is_one_table_per_model_and_dialect() -> None:
    assert table_of(USER, SQLITE) is table_of(USER, SQLITE)
    assert table_of(USER, SQLITE) is not table_of(USER, POSTGRESQL)


def test_names_are_quoted() -> None:
    text = table_of(LINE, SQLITE).count().text

    assert text == 'SELECT count(*) FROM "odd ""lines"""'


def test_an_insert_yields_the_whole_row() -> None:
    statement = table_of(USER, SQLITE).insert({"active": False, "name": "a"})

    assert statement.text == (
        'INSERT INTO "users" ("active", "name") VALUES (?1, ?2) '
        'RETURNING "id", "name", "price", "active"'
    )
    assert list(statement.parameters) == [0, "a"]
    assert statement.returns_rows


def test_an_insert_of_defaults_only_says_so() -> None:
    text = table_of(USER, POSTGRESQL).insert({}).text

    assert text.startswith('INSERT INTO "users" DEFAULT VALUES RETURNING "id"')


def test_a_row_is_read_by_its_whole_key() -> None:
    statement = table_of(LINE, POSTGRESQL).read({"order_id": 1, "number": 2})

    assert statement.text.endswith('WHERE "order_id" = $1 AND "number" = $2')
    assert list(statement.parameters) == [1, 2]


def test_a_key_is_read_by_other_values() -> None:
    statement = table_of(USER, SQLITE).read_key(
        ("name", "price"), {"price": None, "name": "a"}
    )

    assert (
        statement.text == 'SELECT "id" FROM "users" WHERE "name" = ?1 AND "price" = ?2'
    )
    assert list(statement.parameters) == ["a", None]


def test_a_page_has_a_limit_and_an_offset() -> None:
    table = table_of(USER, SQLITE)

    assert table.select(limit=5).text.endswith('FROM "users" LIMIT ?1')
    assert table.select(limit=0, offset=2).text.endswith("LIMIT ?1 OFFSET ?2")
    assert list(table.select(offset=2).parameters) == [2**63 - 1, 2]
    assert "LIMIT" not in table.select(parse({"name": "a"}, USER)).text


def test_the_text_of_a_list_of_all_is_made_once_for_each_order() -> None:
    table = table_of(USER, POSTGRESQL)
    by_name = parse_order("-name", USER)
    first = table.select(order=by_name, limit=5)
    second = table.select(order=by_name, limit=7, offset=3)

    assert first.text.endswith('"name" COLLATE "C" DESC, "id" LIMIT $1')
    assert second.text == f"{first.text} OFFSET $2"
    assert [list(each.parameters) for each in (first, second)] == [[5], [7, 3]]
    listed = table.select(order=[*by_name], names=["id"], limit=5).text
    assert listed == first.text.replace(
        'SELECT "id", "name", "price", "active"', 'SELECT "id"'
    )


@pytest.mark.parametrize(
    "given", [None, {"name": {"$in": ["a", "b"]}, "id": {"$gt": 3}}]
)
def test_a_short_list_may_be_brief_if_its_filter_compares_columns(given: Any) -> None:
    table = table_of(THING, SQLITE)

    assert table.select(parse(given, THING), limit=10).may_be_brief


@pytest.mark.parametrize(
    "given",
    [
        {"name": {"$in": [f"name {n}" for n in range(17)]}},
        {"name": {"$like": "a%"}},
        {"price": 3},  # SQLite compares it by a function of ours
        {"tags": {"$overlap": ["a"]}},
        {"tags": {"$size": 2}},
        {"meta.kind": "x"},
        {"owner.name": "a"},
    ],
)
def test_a_list_is_not_brief_if_its_filter_does_more(given: Any) -> None:
    table = table_of(THING, SQLITE)

    assert not table.select(parse(given, THING), limit=10).may_be_brief


def test_a_list_is_not_brief_if_it_is_long_or_its_order_is_dear() -> None:
    table = table_of(THING, SQLITE)
    few = 256 // len(THING.names)

    assert table.select(limit=few).may_be_brief
    assert not table.select(limit=few + 1).may_be_brief
    assert table.select(limit=few + 1, names=["id"]).may_be_brief
    assert not table.select().may_be_brief
    assert not table.select(limit=1, offset=1).may_be_brief
    by_price = parse_order("price", THING)
    assert not table.select(order=by_price, limit=1).may_be_brief


def test_some_columns_are_selected_in_their_order() -> None:
    text = table_of(USER, SQLITE).select(names=("price", "id")).text

    assert text == 'SELECT "price", "id" FROM "users"'


@BOTH
def test_an_update_numbers_its_changes_before_its_filter(dialect: Dialect) -> None:
    where = parse({"name": "a"}, USER)
    statement = table_of(USER, dialect).update(where, {"active": False, "price": None})
    sign = dialect.placeholder

    assert statement.text.replace(sign, ":") == (
        'UPDATE "users" SET "active" = :1, "price" = :2 WHERE "name" = :3'
    )
    assert list(statement.parameters) == [False, None, "a"]
    assert not statement.returns_rows


def test_a_change_yields_rows_when_asked() -> None:
    table = table_of(LINE, SQLITE)
    where = parse({"sku": "a"}, LINE)
    update = table.update(where, {"sku": "b"}, returning=True)
    delete = table.delete(where, returning=True)

    assert update.text.endswith('RETURNING "order_id", "number", "sku"')
    assert delete.text.endswith('RETURNING "order_id", "number"')
    assert update.returns_rows
    assert delete.returns_rows
    assert table.delete(NOTHING).text == 'DELETE FROM "odd ""lines""" WHERE FALSE'
    assert not table.delete(NOTHING).returns_rows


@BOTH
def test_a_computed_change_travels_as_parameters(dialect: Dialect) -> None:
    change = Arithmetic(LINE.field("number"), Operator.INC, 3)
    where = parse({"order_id": 7}, LINE)
    statement = table_of(LINE, dialect).update(where, {"number": change, "sku": "a"})
    sign = dialect.placeholder

    assert f'SET "sku" = {sign}1, "number" = ' in statement.text
    assert f'"number" + {sign}2' in statement.text
    assert list(statement.parameters) == ["a", 3, 7]


def test_many_rows_are_deleted_by_one_list_of_keys() -> None:
    postgresql = table_of(USER, POSTGRESQL).delete_keys([[1, 2]])
    sqlite = table_of(USER, SQLITE).delete_keys([[1, 2]])

    assert postgresql.text == 'DELETE FROM "users" WHERE "id" = ANY($1)'
    assert postgresql.parameters == [[1, 2]]
    assert sqlite.text == (
        'DELETE FROM "users" WHERE "id" IN (SELECT value FROM json_each(?1))'
    )
    assert sqlite.parameters == ("[1,2]",)


def test_keys_of_several_fields_travel_side_by_side() -> None:
    columns = [[1, 2], [3, 4]]
    postgresql = table_of(LINE, POSTGRESQL).delete_keys(columns)
    sqlite = table_of(LINE, SQLITE).delete_keys(columns)

    assert postgresql.text.endswith(
        'WHERE ("order_id", "number") IN '
        "(SELECT * FROM unnest($1::bigint[], $2::bigint[]))"
    )
    assert postgresql.parameters == columns
    assert sqlite.text.endswith('WHERE "order_id" = ?1 AND "number" = ?2')
    assert rows_of(sqlite) == [(1, 3), (2, 4)]
    assert sqlite.many


def rows_of(statement: Statement) -> list[tuple[object, ...]]:
    return [tuple(row) for row in statement.parameters]


def test_rows_of_a_batch_are_encoded_in_the_order_of_the_names() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a", "active": True},
        {"active": False, "name": "b", "price": Decimal(1)},
    ]
    statement = table_of(USER, SQLITE).insert_many(("name", "active"), rows)

    assert rows_of(statement) == [("a", 1), ("b", 0)]
    assert statement.many
    assert not statement.returns_rows


def test_an_update_of_many_rows_finds_each_by_its_key() -> None:
    rows = [{"order_id": 1, "number": 2, "sku": "a"}]
    statement = table_of(LINE, SQLITE).update_many(
        rows, ("order_id", "number"), ("sku",)
    )

    assert statement.text == (
        'UPDATE "odd ""lines""" SET "sku" = ?1 WHERE "order_id" = ?2 AND "number" = ?3 '
        'RETURNING "order_id", "number"'
    )
    assert rows_of(statement) == [("a", 1, 2)]


def test_an_upsert_is_one_statement_on_postgresql_and_two_on_sqlite() -> None:
    values = {"order_id": 1, "number": 2, "sku": "a"}
    conflict = ("order_id", "number")
    (one,) = table_of(LINE, POSTGRESQL).upsert(values, conflict, {"sku": "b"})
    look, two = table_of(LINE, SQLITE).upsert(values, conflict, {})

    assert one.text == (
        'INSERT INTO "odd ""lines""" ("order_id", "number", "sku") VALUES ($1, $2, $3) '
        'ON CONFLICT ("order_id", "number") DO UPDATE SET "sku" = $4 '
        'RETURNING "order_id", "number", "sku", ("odd ""lines""".xmax = 0) AS "__created"'
    )
    assert list(one.parameters) == [1, 2, "a", "b"]
    assert look.text == (
        'SELECT 1 FROM "odd ""lines""" WHERE "order_id" = ?1 AND "number" = ?2'
    )
    assert list(look.parameters) == [1, 2]
    assert 'DO UPDATE SET "order_id" = EXCLUDED."order_id" RETURNING' in two.text


def test_results_of_an_upsert_tell_whether_it_inserted() -> None:
    for is_new in (True, False):
        postgresql = [Result([(1, 2, "a", is_new)], 1)]
        sqlite = [Result([] if is_new else [(1,)], 1), Result([(1, 2, "a")], 1)]

        assert table_of(LINE, POSTGRESQL).was_created(postgresql) is is_new
        assert table_of(LINE, SQLITE).was_created(sqlite) is is_new


@BOTH
def test_results_of_a_batch_tell_how_many_were_inserted(dialect: Dialect) -> None:
    rows = [(True,), (False,), (True,)] if dialect is POSTGRESQL else [(1,), (2,)]

    assert table_of(LINE, dialect).count_created([Result(rows, len(rows))]) == 2


def test_a_batch_without_changes_needs_no_update() -> None:
    rows = [{"order_id": 1, "number": 2, "sku": "a"}]
    names, conflict = ("order_id", "number", "sku"), ("order_id", "number")
    (postgresql,) = table_of(LINE, POSTGRESQL).upsert_many(names, rows, conflict, ())
    statements = table_of(LINE, SQLITE).upsert_many(names, rows, conflict, ())

    assert 'DO UPDATE SET "order_id" = EXCLUDED."order_id"' in postgresql.text
    assert [" DO NOTHING" in each.text for each in statements] == [True]


@BOTH
def test_only_a_sequence_can_fall_behind(dialect: Dialect) -> None:
    has_sequence = dialect is POSTGRESQL

    assert (table_of(USER, dialect).repair_key() is not None) is has_sequence
    assert table_of(LINE, dialect).repair_key() is None


def test_codecs_and_texts_are_made_once() -> None:
    table = table_of(USER, SQLITE)

    assert table.decoder(["id", "name"]) is table.decoder(("id", "name"))
    assert table.decoder(None) is table.decoder(None)
    assert table.insert({"name": "a"}).text is table.insert({"name": "b"}).text
    assert table.encode({"active": True, "id": 1}) == (1, 1)


def test_an_unknown_column_is_told() -> None:
    with pytest.raises(UnknownFieldError, match="did you mean 'name'"):
        table_of(USER, SQLITE).insert({"nmae": "a"})
