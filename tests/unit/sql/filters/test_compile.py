from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest

from dataflow.errors import FilterError
from dataflow.models import Digits, declare
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    And,
    Compare,
    Comparison,
    Cursor,
    Dialect,
    Filter,
    Not,
    OneOf,
    Or,
    Statement,
    parse,
    parse_order,
    table_of,
)


class Color(Enum):
    RED = "red"


class Item:
    name: str
    age: int | None
    free: Decimal | None
    money: Annotated[Decimal, Digits(10, 2)] | None
    real: float | None
    color: Color | None
    ages: list[int] | None
    reals: list[float] | None
    blobs: list[bytes] | None
    frees: list[Decimal] | None
    meta: dict[str, Any] | None
    flag: bool = True


ITEM = declare(Item)
AGE = ITEM.field("age")
EACH = 'SELECT 1 FROM json_each("items"."{}") AS "$each" WHERE'
READ = """json_at("items"."{}", '[' || "$each".key || ']', '{}')"""
AMONG = "IN (SELECT value FROM json_each(?1))"
ONE, REAL, BLOB, FREE = (
    EACH.format(name) for name in ("ages", "reals", "blobs", "frees")
)
TEXT_AT = """(CASE jsonb_typeof({0}) WHEN 'string' THEN {0} #>> '{{}}' END)"""
NUMBER_AT = "(CASE jsonb_typeof({0}) WHEN 'number' THEN {0}::numeric END)"
AT = '("meta" #> $1::text[])'


def where(given: object, dialect: Dialect) -> tuple[str, list[Any]]:
    statement = table_of(ITEM, dialect).count(parse(given, ITEM))
    return statement.text.partition(" WHERE ")[2], list(statement.parameters)


TEXTS: list[tuple[object, str, str]] = [
    ({}, "", ""),
    ({"$or": []}, "FALSE", "FALSE"),
    ({"age": 1}, '"age" = $1', '"age" = ?1'),
    ({"age": None}, '"age" IS NULL', '"age" IS NULL'),
    ({"age": {"$ne": None}}, '"age" IS NOT NULL', '"age" IS NOT NULL'),
    ({"age": {"$ne": 1}}, '("age" = $1) IS NOT TRUE', '("age" = ?1) IS NOT TRUE'),
    ({"name": "a"}, '"name" = $1', '"name" = ?1'),
    ({"name": {"$gt": "a"}}, '"name" COLLATE "C" > $1', '"name" > ?1'),
    ({"color": {"$lte": "red"}}, '"color" COLLATE "C" <= $1', '"color" <= ?1'),
    ({"free": 1}, '"free" = $1', '"free" COLLATE DECIMAL = ?1'),
    ({"free": {"$lt": 1}}, '"free" < $1', '"free" COLLATE DECIMAL < ?1'),
    ({"money": {"$gte": 1}}, '"money" >= $1', '"money" >= ?1'),
    (
        {"age": {"$in": [1, 2]}},
        '"age" = ANY($1)',
        '"age" IN (SELECT value FROM json_each(?1))',
    ),
    ({"real": {"$in": [1.5, 2.5]}}, '"real" = ANY($1)', '"real" IN (?1, ?2)'),
    (
        {"age": {"$in": [1, None]}},
        '("age" = ANY($1) OR "age" IS NULL)',
        '("age" IN (SELECT value FROM json_each(?1)) OR "age" IS NULL)',
    ),
    ({"age": {"$in": [None]}}, '(FALSE OR "age" IS NULL)', '(FALSE OR "age" IS NULL)'),
    (
        {"$or": [{"age": 1, "name": "a"}, {"flag": True}]},
        '"age" = $1 AND "name" = $2 OR "flag" = $3',
        '"age" = ?1 AND "name" = ?2 OR "flag" = ?3',
    ),
    (
        {"flag": True, "$or": [{"age": 1}, {"name": "a"}]},
        '("age" = $2 OR "name" = $3) AND "flag" = $1',
        '("age" = ?2 OR "name" = ?3) AND "flag" = ?1',
    ),
    (
        {"name": {"$endsWith": "a"}},
        'right("name", length($1::text)) = $1::text',
        'substr("name", length("name") - length(?1) + 1) = ?1',
    ),
    ({"name": {"$icontains": "a"}}, '"name" COLLATE "C" ~ $1', '"name" REGEXP ?1'),
    ({"age": {"$mod": [2, 1]}}, '"age" % $1 = $2', '"age" % ?1 = ?2'),
    (
        {"free": {"$lt": {"$field": "free"}}},
        '"free" < "free"',
        '"free" COLLATE DECIMAL < "free" COLLATE DECIMAL',
    ),
    # lists
    (
        {"ages": {"$all": [1, 2]}},
        '"ages" @> $1::bigint[]',
        f'EXISTS ({ONE} "$each".value = ?1) AND EXISTS ({ONE} "$each".value = ?2)',
    ),
    (
        {"ages": {"$overlap": [1, 2]}},
        '"ages" && $1::bigint[]',
        f'EXISTS ({ONE} "$each".value {AMONG})',
    ),
    (
        {"ages": {"$containedBy": [1]}, "age": 1},
        '"ages" <@ $1::bigint[] AND "age" = $2',
        (
            f'(EXISTS ({ONE} ("$each".value {AMONG}) IS NOT TRUE)) '
            'IS NOT TRUE AND "ages" IS NOT NULL AND "age" = ?2'
        ),
    ),
    (
        {"ages": {"$containedBy": []}},
        'cardinality("ages")::bigint = $1',
        'json_array_length("ages") = ?1',
    ),
    (
        {"ages": {"$size": 2}},
        'cardinality("ages")::bigint = $1',
        'json_array_length("ages") = ?1',
    ),
    (
        {"ages": {"$elemMatch": {"$gt": 1, "$lt": 5}}},
        (
            'EXISTS (SELECT 1 FROM unnest("items"."ages") AS "$each"(value) '
            'WHERE "$each".value > $1 AND "$each".value < $2)'
        ),
        f'EXISTS ({ONE} "$each".value > ?1 AND "$each".value < ?2)',
    ),
    (
        {"reals": {"$elemMatch": 0.1}},
        'EXISTS (SELECT 1 FROM unnest("items"."reals") AS "$each"(value) WHERE "$each".value = $1)',
        f"EXISTS ({REAL} {READ.format('reals', 'number')} = ?1)",
    ),
    (
        {"blobs": {"$elemMatch": b"a"}},
        'EXISTS (SELECT 1 FROM unnest("items"."blobs") AS "$each"(value) WHERE "$each".value = $1)',
        f"EXISTS ({BLOB} {READ.format('blobs', 'bytes')} = ?1)",
    ),
    (
        {"frees": {"$overlap": [1]}},
        '"frees" && $1::numeric[]',
        f'EXISTS ({FREE} "$each".value COLLATE DECIMAL {AMONG})',
    ),
    # JSON
    (
        {"meta.a.0": "x"},
        f"{TEXT_AT.format(AT)} = $2",
        """json_at("items"."meta", ?1, 'text') = ?2""",
    ),
    (
        {"meta.a": {"$lt": 1}},
        f"{NUMBER_AT.format(AT)} < $2",
        """json_at("items"."meta", ?1, 'number') < ?2""",
    ),
    (
        {"meta.-1": {"$exists": True}},
        '("meta" -> $1::text) IS NOT NULL',
        """json_at("items"."meta", ?1, 'anything') IS NOT NULL""",
    ),
    (
        {"meta": {"$hasKey": "0"}},
        '("meta" -> $1::text) IS NOT NULL',
        """json_at("items"."meta", ?1, 'anything') IS NOT NULL""",
    ),
    (
        {"meta.a": None},
        f"NULLIF({AT}, 'null'::jsonb) IS NULL",
        """json_at("items"."meta", ?1, 'value') IS NULL""",
    ),
    (
        {"meta": {"$size": 0}},
        '(CASE jsonb_typeof("meta") WHEN \'array\' THEN jsonb_array_length("meta")::bigint END) = $1',
        """json_at("items"."meta", ?1, 'size') = ?2""",
    ),
]


@pytest.mark.parametrize(("given", "postgresql", "sqlite"), TEXTS, ids=str)
def test_a_filter_becomes_text(given: object, postgresql: str, sqlite: str) -> None:
    # Placeholders are numbered in the order in which they are written.
    assert numbered(where(given, POSTGRESQL)[0], "$") == numbered(postgresql, "$")
    assert numbered(where(given, SQLITE)[0], "?") == numbered(sqlite, "?")


def numbered(text: str, sign: str) -> str:
    """Leave the numbers of placeholders out, so that only the shape counts."""
    head, *tails = text.split(sign)
    return sign.join((head, *(tail.lstrip("0123456789") for tail in tails)))


def test_each_placeholder_stands_for_its_own_value() -> None:
    given = {"flag": True, "$or": [{"age": 1}, {"name": "a"}]}
    text, parameters = where(given, POSTGRESQL)

    for condition, value in (
        ('"flag" = $', True),
        ('"age" = $', 1),
        ('"name" = $', "a"),
    ):
        number = int(text.partition(condition)[2][0])
        assert parameters[number - 1] == value


def test_values_are_encoded_for_the_database() -> None:
    given = {
        "$and": [{"money": Decimal("1.5")}, {"color": {"$in": ["red"]}}, {"flag": True}]
    }

    assert where(given, POSTGRESQL)[1] == [Decimal("1.50"), ["red"], True]
    assert where(given, SQLITE)[1] == [150, '["red"]', 1]


def test_a_path_and_its_value_are_encoded_for_the_database() -> None:
    given = {"meta.a.01.0": 1e16}

    assert where(given, POSTGRESQL)[1] == [["a"], "01", ["0"], Decimal(10**16)]
    assert where(given, SQLITE)[1] == ['["a","01",0]', 1e16]


def test_trees_made_by_hand_compile_too() -> None:
    equal = Compare(AGE, Comparison.EQ, 1)
    trees: dict[Filter, str] = {
        And(()): "",
        And((And(()), equal)): 'TRUE AND "age" = $1',
        Or((Or(()), equal)): 'FALSE OR "age" = $1',
        And((And((equal, equal)), equal)): '"age" = $1 AND "age" = $2 AND "age" = $3',
        Not(Not(equal)): '(("age" = $1) IS NOT TRUE) IS NOT TRUE',
        OneOf(AGE, ()): "FALSE",
    }
    for tree, expected in trees.items():
        text = table_of(ITEM, POSTGRESQL).count(tree).text

        assert text.partition(" WHERE ")[2] == expected


def test_long_chains_are_grouped() -> None:
    text = where({"$or": [{"age": number} for number in range(40)]}, SQLITE)[0]
    first, *rest = text.split(" OR ")

    assert first == '"age" = ?1'
    assert len(rest) == 39
    assert text.count("(") == text.count(")") == 5


def test_what_nests_deepest_is_written_first() -> None:
    deep = {"$or": [{"age": 1}, {"$not": {"age": 2, "name": "a"}}]}
    text = where({"$and": [{"flag": True}, {"age": 7}, deep]}, SQLITE)[0]

    assert text.startswith('(("age" = ?')
    assert text.count("IS NOT TRUE OR") == 1


def test_an_order_says_where_null_stands() -> None:
    terms = parse_order("age, -free, name, -color", ITEM)
    texts = {
        dialect.name: table_of(ITEM, dialect)
        .select(order=terms)
        .text.partition(" BY ")[2]
        for dialect in (POSTGRESQL, SQLITE)
    }

    assert texts["postgresql"] == (
        '"age" NULLS FIRST, "free" DESC NULLS LAST, "name" COLLATE "C", '
        '"color" COLLATE "C" DESC NULLS LAST, "id"'
    )
    assert texts["sqlite"] == (
        '"age" NULLS FIRST, "free" COLLATE DECIMAL DESC NULLS LAST, "name", '
        '"color" DESC NULLS LAST, "id"'
    )


def test_more_values_than_the_database_takes_are_refused() -> None:
    part = Or(tuple(Compare(AGE, Comparison.EQ, each) for each in range(40_000)))
    for dialect in (POSTGRESQL, SQLITE):
        with pytest.raises(
            FilterError, match=f"at most {dialect.max_parameters} values"
        ):
            table_of(ITEM, dialect).count(part)


def test_a_table_may_be_called_as_its_elements_are() -> None:
    class Each:
        ages: list[int]

        __tablename__ = "$each"

    each = declare(Each)
    text = table_of(each, SQLITE).count(parse({"ages": {"$overlap": [1]}}, each)).text

    assert 'json_each("$each"."ages") AS "$every" WHERE "$every".value' in text


HOSTILE = ["'; DROP TABLE items; --", '" OR 1=1 --', "$1", "?1", "{place}", "%s", "\\'"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE], ids=lambda each: each.name)
def test_no_value_ever_becomes_text(hostile: str, dialect: Dialect) -> None:
    table = table_of(ITEM, dialect)
    escaped = hostile.replace("\\", "\\\\")
    conditions: list[Any] = [
        {"$eq": hostile}, {"$ne": hostile}, {"$gt": hostile}, {"$in": [hostile, "x"]},
        {"$between": [hostile, "x"]}, {"$like": escaped}, {"$contains": hostile},
        {"$startsWith": hostile}, {"$endsWith": hostile}, {"$icontains": hostile},
        {"$istartsWith": hostile}, {"$iendsWith": hostile}, {"$ilike": escaped},
    ]  # fmt: skip
    for condition in conditions:
        harmless = {name: ["a", "x"] if isinstance(value, list) else "a"
                    for name, value in condition.items()}  # fmt: skip
        one, other = (
            [
                table.select(part := parse({"name": each}, ITEM), limit=1),
                table.count(part),
                table.delete(part, returning=True),
                table.update(part, {"name": hostile}, returning=True),
            ]
            for each in (condition, harmless)
        )

        assert list(map(text_of, one)) == list(map(text_of, other))


def text_of(statement: Statement) -> str:
    return statement.text


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE], ids=lambda each: each.name)
def test_no_step_of_a_path_ever_becomes_text(hostile: str, dialect: Dialect) -> None:
    step = hostile.replace(".", "")
    conditions: list[Any] = [
        hostile, {"$gt": hostile}, {"$in": [hostile]}, {"$hasKey": hostile}, {"$null": True},
        {"$size": 1}, {"$exists": True}, {"$icontains": hostile},
    ]  # fmt: skip
    for condition in conditions:
        table = table_of(ITEM, dialect)
        one, other = (
            table.count(parse({f"meta.{name}.x": condition}, ITEM))
            for name in (step, "a")
        )

        assert one.text == other.text


def test_no_name_ever_becomes_text() -> None:
    for hostile in HOSTILE:
        filters: list[dict[str, Any]] = [
            {hostile: 1},
            {f"{hostile}.a": 1},
            {"age": {hostile: 1}},
            {"age": {f"${hostile}": 1}},
            {f"${hostile}": []},
            {"age": {"$gt": {"$field": hostile}}},
            {"$or": [{"$and": [{hostile: 1}]}]},
        ]
        for given in filters:
            with pytest.raises(FilterError):
                parse(given, ITEM)
        for order in (hostile, [hostile], {hostile: 1}, {"age": hostile}):
            with pytest.raises(FilterError):
                parse_order(order, ITEM)
        with pytest.raises(FilterError):
            Cursor.filter(hostile, parse_order("age", ITEM), None, key=b"key")
