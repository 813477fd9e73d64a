"""Filters over relations: PostgreSQL, SQLite and Python let the same rows through."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.models import Family, Model, declare, field
from dataflow.schema import ensure_table
from dataflow.sql import And, Filter, Not, Statement, matcher, parse, table_of

# What a filter means does not depend on the event loop.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Country:
    code: str = field(primary_key=True)
    size: int | None


class Person:
    name: str | None
    age: int
    country_code: str | None = field(references="Country", relation="home")
    boss_id: int | None = field(references="Person", backref="staff")


class Order:
    person_id: int | None = field(references="Person", relation="buyer")
    total: int | None
    tags: list[str]


class Line:
    order_id: int = field(primary_key=True, references="Order")
    number: int = field(primary_key=True)
    amount: int


class Remark:
    text: str | None
    order_id: int | None
    line: int | None
    __foreign_keys__ = [  # noqa: RUF012
        {
            "fields": ["order_id", "line"],
            "references": "Line",
            "to": ["order_id", "number"],
            "relation": "about",
        }
    ]


FAMILY = Family()
for cls in (Remark, Line, Order, Person, Country):
    FAMILY.add(declare(cls, FAMILY))
MODELS = FAMILY.models
NAMES = ("Country", "Person", "Order", "Line", "Remark")  # what is referred to, first

TO_ONE = {
    ("Person", "home"): "Country",
    ("Person", "boss"): "Person",
    ("Order", "buyer"): "Person",
    ("Line", "order"): "Order",
    ("Remark", "about"): "Line",
}
TO_MANY = {
    ("Country", "persons"): ("Person", {"country_code": "code"}),
    ("Person", "staff"): ("Person", {"boss_id": "id"}),
    ("Person", "orders"): ("Order", {"person_id": "id"}),
    ("Order", "lines"): ("Line", {"order_id": "id"}),
    ("Line", "remarks"): ("Remark", {"order_id": "order_id", "line": "number"}),
}
PAIRS = {
    ("Person", "home"): {"country_code": "code"},
    ("Person", "boss"): {"boss_id": "id"},
    ("Order", "buyer"): {"person_id": "id"},
    ("Line", "order"): {"order_id": "id"},
    ("Remark", "about"): {"order_id": "order_id", "line": "number"},
}

Row = dict[str, Any]


def _rows() -> dict[str, list[Row]]:
    """Return rows that refer to each other often, and to nothing now and then."""
    chance = random.Random(7)  # noqa: S311  # rows, not secrets
    codes = ["de", "fr", "xx", "É"]
    countries = [{"code": code, "size": chance.choice([None, 1, 2])} for code in codes]
    people = [
        {
            "id": key,
            "name": chance.choice([None, "a", "b"]),
            "age": chance.randrange(3),
            "country_code": chance.choice([None, *codes[:3]]),
            "boss_id": chance.choice([None, *range(1, key + 1)]),
        }
        for key in range(1, 13)
    ]
    orders = [
        {
            "id": key,
            "person_id": chance.choice([None, *range(1, 9)]),
            "total": chance.choice([None, 0, 1, 2]),
            "tags": chance.sample(["a", "b"], chance.randrange(3)),
        }
        for key in range(1, 16)
    ]
    lines = [
        {"order_id": order, "number": number, "amount": chance.randrange(3)}
        for order in range(1, 13)
        for number in range(1, chance.randrange(4))
    ]
    remarks: list[Row] = []
    for key in range(1, 12):
        line = chance.choice(lines)
        # With one part of two missing it refers to nothing.
        left_out = chance.choice([(), (), (), ("line",), ("order_id",)])
        about: Row = {"order_id": line["order_id"], "line": line["number"]}
        about |= dict.fromkeys(left_out)
        remarks.append({"id": key, "text": chance.choice([None, "a", "b"]), **about})
    return dict(zip(NAMES, (countries, people, orders, lines, remarks), strict=True))


ROWS = _rows()


class Linked(dict[str, Any]):
    """A row whose related ones are looked up when asked for, since they go in circles."""

    def __init__(self, model: str, row: Row) -> None:
        super().__init__(row)
        self.model = model

    def __missing__(self, name: str) -> Any:
        if (self.model, name) in TO_ONE:
            target, pairs = TO_ONE[self.model, name], PAIRS[self.model, name]
            values = {theirs: self[own] for own, theirs in pairs.items()}
            return next(iter(_linked(target, values)), None)
        if (self.model, name) not in TO_MANY:
            raise KeyError(name)
        target, pairs = TO_MANY[self.model, name]
        return _linked(target, {theirs: self[own] for theirs, own in pairs.items()})


def _linked(model: str, values: Row) -> list[Linked]:
    if None in values.values():
        return []
    return [
        Linked(model, row)
        for row in ROWS[model]
        if all(row[name] == value for name, value in values.items())
    ]


# -- an evaluator of its own ------------------------------------------------------


def holds(given_filter: Mapping[str, Any], row: Linked) -> bool:
    return all(_entry(name, value, row) for name, value in given_filter.items())


def _entry(name: str, value: Any, row: Linked) -> bool:
    if name == "$not":
        return not holds(value, row)
    if name.startswith("$"):
        found = [holds(each, row) for each in value]
        return {"$and": all, "$or": any, "$nor": _none}[name](found)
    if "." in name:
        first, rest = name.split(".", 1)
        return row[first] is not None and _entry(rest, value, row[first])
    if (row.model, name) in TO_ONE:
        return _related(value, [] if row[name] is None else [row[name]])
    if (row.model, name) in TO_MANY:
        return _related(value, row[name])
    return _plain(value, row[name])


def _related(value: Any, found: list[Linked]) -> bool:
    if value is None:
        return not found
    if not any(name in value for name in ("$some", "$every", "$none")):
        return any(holds(value, each) for each in found)
    return all(
        {"$some": any, "$every": all, "$none": _none}[name](
            [holds(part, each) for each in found]
        )
        for name, part in value.items()
    )


def _none(found: list[bool]) -> bool:
    return not any(found)


def _plain(value: Any, found: Any) -> bool:
    if not isinstance(value, dict):
        return bool(found == value)
    operands = cast("dict[str, Any]", value)
    ((operator, operand),) = operands.items()
    match operator:
        case "$ne":
            return bool(found != operand)
        case "$gt":
            return found is not None and found > operand
        case "$in":
            return found in operand
        case _:
            return operand[0] in found  # $all of one


# -- random filters ---------------------------------------------------------------

LEAVES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Country": st.sampled_from(
        [{"size": 1}, {"size": {"$ne": 1}}, {"code": {"$gt": "de"}}, {"size": None}]
    ),
    "Person": st.sampled_from(
        [{"age": 1}, {"age": {"$gt": 0}}, {"name": "a"}, {"name": {"$ne": "a"}},
         {"name": {"$in": ["b", None]}}, {"home.size": 1}, {"boss.boss.age": 1}]
    ),
    "Order": st.sampled_from(
        [{"total": 1}, {"total": {"$ne": 0}}, {"tags": {"$all": ["a"]}},
         {"buyer": None}, {"buyer.home.code": "de"}]
    ),
    "Line": st.sampled_from([{"amount": 1}, {"amount": {"$gt": 0}}, {"order.total": 1}]),
    "Remark": st.sampled_from([{"text": "a"}, {"text": {"$ne": "a"}}, {"about": None}]),
}  # fmt: skip
NOTHING_SAID: dict[str, Any] = {}
QUANTIFIERS = ("$some", "$every", "$none")


def filters(model: str, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Return filters of *model* that follow up to *depth* relations."""
    leaf = LEAVES[model]
    if not depth:
        return leaf
    choices = [leaf, st.deferred(lambda: filters(model, depth - 1).map(_not))]
    pair = st.lists(st.deferred(lambda: filters(model, depth - 1)), max_size=2)
    choices += [pair.map(lambda p: {"$or": p}), pair.map(lambda p: {"$nor": p})]
    for (source, name), target in TO_ONE.items():
        if source == model:
            choices.append(_one(name, target, depth))
            choices.append(_many(name, target, depth))
    for (source, name), (target, _) in TO_MANY.items():
        if source == model:
            choices.append(_many(name, target, depth))
    return st.one_of(choices)


def _not(part: dict[str, Any]) -> dict[str, Any]:
    return {"$not": part}


def _one(name: str, target: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    inner = st.deferred(lambda: filters(target, depth - 1))
    return st.one_of(st.none(), st.just(NOTHING_SAID), inner).map(
        lambda part: {name: part}
    )


def _many(name: str, target: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    inner = st.one_of(
        st.just(NOTHING_SAID), st.deferred(lambda: filters(target, depth - 1))
    )
    parts = st.dictionaries(st.sampled_from(QUANTIFIERS), inner, min_size=1, max_size=2)
    return parts.map(lambda part: {name: part})


CASES = st.sampled_from(NAMES).flatmap(
    lambda name: filters(name).map(lambda part: (name, part))
)
SETTINGS = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # examples only read
        HealthCheck.too_slow,
    ],
)


@pytest.fixture
async def filled(drivers: tuple[Driver, Driver]) -> tuple[Driver, Driver]:
    """Give both databases with the same rows in them."""
    for driver in drivers:
        assert await ensure_table(driver, MODELS["Order"])
        statements: list[Statement] = []
        for name in NAMES:
            table = table_of(MODELS[name], driver.dialect)
            rows = ROWS[name]
            statements.append(table.insert_many(tuple(rows[0]), rows))
        async with driver.acquire() as connection:
            await connection.run(statements)
    return drivers


Key = tuple[Any, ...]


def key_of(model: Model, row: Mapping[str, Any]) -> Key:
    return tuple(row[name] for name in model.key)


async def keys(driver: Driver, model: Model, *parts: Filter) -> list[list[Key]]:
    """Return the keys of the rows each filter lets through, in order."""
    table = table_of(model, driver.dialect)
    statements = [
        table.select(each, names=model.key, order=table.key_order) for each in parts
    ]
    async with driver.acquire(write=False) as connection:
        results = await connection.run(statements)
    return [[tuple(row) for row in result.rows] for result in results]


@SETTINGS
@given(case=CASES)
@example(("Person", {"boss.boss.boss.boss.boss.boss.boss.boss.age": 1}))
@example(("Person", {"staff": {"$every": {"boss": {"staff": {"$some": {"age": 1}}}}}}))
@example(("Country", {"persons": {"$none": {"orders": {"$every": {"total": 1}}}}}))
@example(("Line", {"remarks": {"$some": {"about.order.buyer.home.size": 1}}}))
async def test_both_databases_and_python_let_the_same_rows_through(
    filled: tuple[Driver, Driver], case: tuple[str, dict[str, Any]]
) -> None:
    name, given_filter = case
    model = MODELS[name]
    part = parse(given_filter, model)
    rows = sorted(
        (Linked(name, row) for row in ROWS[name]), key=lambda row: key_of(model, row)
    )
    expected = [key_of(model, row) for row in rows if holds(given_filter, row)]
    lets = matcher(part)

    assert [key_of(model, row) for row in rows if lets(row)] == expected
    for driver in filled:
        assert await keys(driver, model, part) == [expected]


@settings(SETTINGS, max_examples=100)
@given(case=CASES)
async def test_a_filter_and_its_negation_part_the_rows(
    filled: tuple[Driver, Driver], case: tuple[str, dict[str, Any]]
) -> None:
    name, given_filter = case
    model = MODELS[name]
    part, other = parse(given_filter, model), parse({"$not": given_filter}, model)
    everything = sorted(key_of(model, row) for row in ROWS[name])
    for driver in filled:
        yes, no, both = await keys(driver, model, part, other, And((part, other)))

        assert sorted(yes + no) == everything
        assert both == []


RELATIONS = [
    *((source, name, target) for (source, name), target in TO_ONE.items()),
    *((source, name, target) for (source, name), (target, _) in TO_MANY.items()),
]
ASKED = st.sampled_from(RELATIONS).flatmap(
    lambda each: filters(each[2], 2).map(lambda part: (each[0], each[1], part))
)


@settings(SETTINGS, max_examples=100)
@given(asked=ASKED)
async def test_every_and_none_are_negations_of_some(
    filled: tuple[Driver, Driver], asked: tuple[str, str, dict[str, Any]]
) -> None:
    source, name, part = asked
    model = MODELS[source]
    every, no_other, none, not_some, not_every = (
        parse(each, model)
        for each in (
            {name: {"$every": part}},
            {"$not": {name: {"$some": {"$not": part}}}},
            {name: {"$none": part}},
            {"$not": {name: {"$some": part}}},
            {name: {"$some": {"$not": part}}},
        )
    )
    for driver in filled:
        found = await keys(
            driver, model, every, no_other, none, not_some, not_every, Not(every)
        )

        assert found[0] == found[1]
        assert found[2] == found[3]
        assert found[4] == found[5]


def _winding(depth: int, hops: int) -> dict[str, Any]:
    """Return a filter as deep as one may be, that follows as many relations."""
    part: dict[str, Any] = {"age": 1}
    for level in range(depth - 1):
        if level % 4 == 0 and hops:
            hops -= 1
            part = {"staff": {"$every": part}}
        else:
            part = {"$nor" if level % 2 else "$or": [part, {"age": level}]}
    return part


@pytest.mark.parametrize(
    "given_filter",
    [
        _winding(32, 8),
        {"boss.boss.boss.boss.boss.boss.boss.boss.name": "a"},
        {"$and": [{"staff": {"$every": {"age": n}}} for n in range(300)]},
    ],
    ids=["deep", "straight", "wide"],
)
async def test_both_databases_take_the_deepest_and_widest(
    filled: tuple[Driver, Driver], given_filter: dict[str, Any]
) -> None:
    model = MODELS["Person"]
    part = parse(given_filter, model)
    sqlite, postgres = filled

    assert await keys(sqlite, model, part) == await keys(postgres, model, part)


async def test_changes_by_related_rows_touch_the_same_on_both(
    filled: tuple[Driver, Driver],
) -> None:
    model = MODELS["Person"]
    named = parse({"boss": {"$some": {"age": {"$gt": 0}}}}, model)
    without = parse({"orders": {"$none": {}}, "staff": {"$none": {}}}, model)
    left: list[Any] = []
    for driver in filled:
        table = table_of(model, driver.dialect)
        async with driver.acquire() as connection:
            results = await connection.run(
                [
                    table.update(named, {"name": "changed"}, returning=True),
                    table.delete(without, returning=True),
                    table.select(order=table.key_order),
                ]
            )
        assert results[0].rows
        assert results[1].rows
        left.append([tuple(row) for row in results[2].rows])

    assert left[0] == left[1]
