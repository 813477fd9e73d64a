"""Twenty thousand random filters mean the same on PostgreSQL, on SQLite and in Python.

Models, rows and filters are random, from a fixed seed. A statement evaluates a hundred
filters at once, as columns, so that the examples cost their evaluation and no round
trip. Three databases take part: SQLite, PostgreSQL in the C locale with tables of our
own, and PostgreSQL in a locale that orders text as people do, with tables of somebody
else, whose columns have that order.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from linguistic import database_in, linguistic_database
from oracle import PATTERNS, POOLS, TEXTS, lets_through, pool_of
from postgres import PostgresServer

from dataflow import DataFlow, Records
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import FilterError, UnknownFieldError
from dataflow.models import Model, declare
from dataflow.schema._ddl import create_table
from dataflow.sql import OPERATORS, Statement, matcher, parse, table_of
from dataflow.sql.filters import Compiler, references

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

# What a filter means does not depend on the event loop.
once = pytest.mark.parametrize("anyio_backend", ["asyncio"])

N_EXAMPLES = 20_000
N_MODELS = 25
N_ROWS = 36
PER_STATEMENT = 80

Chance = random.Random
Given = dict[str, Any]
Rows = list[dict[str, Any]]


# -- models and rows ------------------------------------------------------------------


def random_model(chance: Chance, number: int) -> Model:
    """Return a model of some columns of any type, some of them nullable."""
    names = [*chance.sample(sorted(POOLS), chance.randint(3, 6)), "text"]
    annotations: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        type_ = POOLS[name][0]
        annotations[name] = type_
        if chance.random() < 0.7:
            annotations[f"maybe_{name}"] = type_ | None
    return declare(type(f"Random{number}", (), {"__annotations__": annotations}))


def random_rows(chance: Chance, model: Model) -> Rows:
    """Return rows that meet each other's values, and a filter's, often."""
    rows: Rows = []
    for key in range(1, N_ROWS + 1):
        row = {"id": key}
        for field in model.fields[1:]:
            is_none = field.is_nullable and chance.random() < 0.3
            value = None if is_none else random_value(chance, field.name)
            row[field.name] = field.check(value, "test")
        rows.append(row)
    return rows


EXTREMES: dict[str, Callable[[Chance], Any]] = {
    "text": lambda chance: "".join(chance.choices("abAÄé_%\\\U0001f600ßzZ", k=3)),
    "number": lambda chance: chance.randint(-(2**63), 2**63 - 1),
    "real": lambda chance: chance.uniform(-1e300, 1e300),
    "money": lambda chance: Decimal(chance.randint(-(10**17), 10**17)).scaleb(-2),
    "free": lambda chance: Decimal(chance.randint(-(10**30), 10**30)).scaleb(-9),
    "instant": lambda chance: (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 2**32))
    ),
    "mark": lambda chance: UUID(int=chance.getrandbits(128)),
    "blob": lambda chance: chance.randbytes(chance.randint(0, 3)),
}


def random_value(chance: Chance, name: str) -> Any:
    make = EXTREMES.get(name.removeprefix("maybe_"))
    if make is not None and chance.random() < 0.15:
        return make(chance)
    return chance.choice(pool_of(name))


# -- filters --------------------------------------------------------------------------

BITS = ["a", "b", "é", "%", "_", "\\%", "\\_", "\\\\", "*", "?", "[", "]", "A", "ß"]


def random_filter(chance: Chance, names: Sequence[str], depth: int = 3) -> Given:
    """Return a filter as a user writes it, nested at random."""
    if not depth or chance.random() < 0.5:
        return random_leaf(chance, names)

    def inner() -> Given:
        return random_filter(chance, names, depth - 1)

    word = chance.choice(["$and", "$or", "$nor", "$not", ""])
    if word == "$not":
        return {word: inner()}
    if not word:
        return inner() | inner()
    return {word: [inner() for _ in range(chance.randint(0, 3))]}


def random_leaf(chance: Chance, names: Sequence[str]) -> Given:
    name = chance.choice(names)
    if chance.random() < 0.1:
        return {name: random_value(chance, name)}
    condition = random_operator(chance, name)
    if chance.random() < 0.15:
        condition = {"$not": condition}
    elif chance.random() < 0.15:
        condition |= random_operator(chance, name)
    return {name: condition}


def random_operator(chance: Chance, name: str) -> Given:
    def value() -> Any:
        return random_value(chance, name)

    def values() -> list[Any]:
        found = [value() for _ in range(chance.randint(0, 4))]
        return [*found, None] if chance.random() < 0.2 else found

    makers: dict[str, Callable[[], Any]] = dict.fromkeys(
        ("$gt", "$gte", "$lt", "$lte"), value
    )
    makers |= dict.fromkeys(
        ("$eq", "$ne"), lambda: None if chance.random() < 0.1 else value()
    )
    makers |= dict.fromkeys(("$in", "$nin"), values)
    makers |= dict.fromkeys(("$null", "$exists"), lambda: chance.random() < 0.5)
    makers["$between"] = lambda: [value(), value()]
    if name.removeprefix("maybe_") == "text" and chance.random() < 0.6:
        makers = dict.fromkeys(
            ("$contains", "$startsWith", "$endsWith"),
            lambda: chance.choice([*TEXTS, *BITS]),
        )
        makers["$like"] = lambda: "".join(chance.choices(BITS, k=chance.randint(0, 4)))
        makers["$regex"] = lambda: chance.choice(list(PATTERNS))
    operator = chance.choice(sorted(makers))
    return {operator: makers[operator]()}


# -- databases ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(postgres_server: PostgresServer) -> Iterator[dict[str, str]]:
    """Give the URLs of both databases of PostgreSQL, by their locale."""
    with (
        database_in(postgres_server, "LOCALE 'C'") as plain,
        linguistic_database(postgres_server) as (linguistic, locale),
    ):
        yield {"C": plain, locale: linguistic}


@pytest.fixture
async def databases(
    places: dict[str, str], sqlite_url: str, bridge: Bridge
) -> AsyncIterator[dict[str, Driver]]:
    urls = {"sqlite": sqlite_url, **places}
    drivers = {
        name: connect(parse_url(url), bridge, pool_size=1) for name, url in urls.items()
    }
    yield drivers
    for driver in drivers.values():
        await driver.aclose()


async def fill(name: str, driver: Driver, model: Model, rows: Rows) -> None:
    """Make the table of a model, in a linguistic locale as somebody else would."""
    texts = [each.text for each in create_table(model, driver.dialect)]
    if name not in {"sqlite", "C"}:
        texts = [text.replace(' COLLATE "C"', "") for text in texts]
    insert = table_of(model, driver.dialect).insert_many(model.names, rows)
    async with driver.acquire() as connection:
        await connection.run([*map(Statement, texts), insert])


async def evaluated(
    driver: Driver, model: Model, filters: Sequence[Given]
) -> list[list[bool]]:
    """Return what each filter says of each row, by one statement."""
    compiler = Compiler(driver.dialect, references(model, driver.dialect))
    columns = [
        f"({compiler.condition(parse(each, model))}) IS TRUE" for each in filters
    ]
    table = driver.dialect.quote(model.table)
    text = f'SELECT {", ".join(columns)} FROM {table} ORDER BY "id"'  # noqa: S608
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run(
            [Statement(text, compiler.parameters, returns_rows=True)]
        )
    return [[bool(row[place]) for row in result.rows] for place in range(len(filters))]


# -- the proof ------------------------------------------------------------------------


@once
async def test_twenty_thousand_random_filters_mean_the_same_everywhere(
    databases: dict[str, Driver], capsys: pytest.CaptureFixture[str]
) -> None:
    chance, began, n_done, n_true = random.Random(21), time.monotonic(), 0, 0  # noqa: S311
    for number in range(N_MODELS):
        model = random_model(chance, number)
        rows, names = random_rows(chance, model), model.names[1:]
        for name, driver in databases.items():
            await fill(name, driver, model, rows)
        for _ in range(N_EXAMPLES // N_MODELS // PER_STATEMENT):
            filters = [random_filter(chance, names) for _ in range(PER_STATEMENT)]
            said = {
                name: await evaluated(driver, model, filters)
                for name, driver in databases.items()
            }
            lets = [matcher(parse(each, model)) for each in filters]
            said["python"] = [[each(row) for row in rows] for each in lets]
            for place, each in enumerate(filters):
                expected = [lets_through(each, row) for row in rows]
                n_true += sum(expected)
                for name, found in said.items():
                    assert found[place] == expected, (name, model, each)
            n_done += len(filters)
    took_s = time.monotonic() - began
    with capsys.disabled():
        print(  # noqa: T201  the number is what this test is for
            f" {n_done} filters on {N_MODELS} models in {', '.join(databases)}"
            f" and python: {took_s:.0f} s",
            end=" ",
        )

    assert n_done == N_EXAMPLES
    # Neither everything nor nothing.
    assert 0.2 < n_true / (n_done * N_ROWS) < 0.8


@once
async def test_the_laws_of_logic_hold_on_each_database(
    databases: dict[str, Driver],
) -> None:
    chance = random.Random(22)  # noqa: S311
    for number in range(5):
        model = random_model(chance, 100 + number)
        rows, names = random_rows(chance, model), model.names[1:]
        for name, driver in databases.items():
            await fill(name, driver, model, rows)
            for _ in range(10):
                pairs = [
                    (random_filter(chance, names), random_filter(chance, names))
                    for _ in range(10)
                ]
                laws = [law for one, other in pairs for law in _laws(one, other)]
                said = await evaluated(
                    driver, model, [part for law in laws for part in law]
                )
                for place, law in enumerate(laws):
                    left, right = said[2 * place], said[2 * place + 1]
                    assert left == right, (name, law)
            halves = [random_filter(chance, names) for _ in range(40)]
            negated = [{"$not": each} for each in halves]
            said = await evaluated(driver, model, halves + negated)
            for place, each in enumerate(halves):
                both = zip(said[place], said[place + len(halves)], strict=True)
                assert all(yes != no for yes, no in both), (name, each)


def _laws(one: Given, other: Given) -> list[tuple[Given, Given]]:
    """Return pairs of filters that let the same rows through, whatever these do."""
    not_one, not_other = {"$not": one}, {"$not": other}
    return [
        ({"$not": not_one}, one),
        ({"$not": {"$and": [one, other]}}, {"$or": [not_one, not_other]}),
        ({"$nor": [one, other]}, {"$and": [not_one, not_other]}),
        ({"$and": [one, {"$or": [one, other]}]}, one),
        ({"$or": [{"$and": [one, other]}, {"$and": [one, not_other]}]}, one),
        ({"$and": [one, not_one]}, {"$nor": [{}]}),
        ({"$or": [other, not_other]}, {}),
    ]


# -- what is no filter ----------------------------------------------------------------

HOSTILE = [
    "'", '"', "''", '""', "\\", "\\'", "`", ";", "--", "/*", "*/", "#", "%", "%s", "{}", "{0}",
    "$1", "?1", ":a", "@a", "\0", "\n", "\r", "\x1a", "\x7f", "\ud800", "\u2028", "\u02bc", "\uff07",
    "' OR '1'='1", "' OR 1=1 --", "' OR 1=1 /*", "') OR ('1'='1", '" OR ""="', "1 OR 1=1", "1=1",
    "'; DROP TABLE canaries; --", '"; DROP TABLE canaries; --', "1; DROP TABLE canaries",
    "x'; DELETE FROM canaries WHERE 'a'='a", "' UNION SELECT * FROM canaries --",
    "' UNION ALL SELECT NULL, name, NULL FROM canaries --", "(SELECT name FROM canaries)",
    "name) FROM canaries --", "name FROM canaries; --", "id, (SELECT 1)", "name DESC; SELECT 1",
    "name COLLATE NOCASE", "CASE WHEN 1=1 THEN name ELSE id END", "pg_sleep(10)", "randomblob(9)",
    "name || name", "*", "canaries.*", "canaries.name", "rowid", "ctid", "oid", "xmin", "_rowid_",
    "$where", "$ne", "$or", "$regex", "$field", "__class__", "__proto__", "id' --", "a.b.c", "..", ".",
    "$.name", "$[0]", "meta->>'a'", "meta' = '1' OR '1'='1", "{a,b}", "a]", "[*]", "E'\\047'", "\\x27",
    "U&'\\0027'", "chr(39)", "/**/", "'/**/OR/**/1=1", "0x27", "NULL", "TRUE", "canaries", "name--",
    "(?i)x", "(?{1})", "a{1,999999}", "(", "[", "\\1", "*a", "(?=a)", "[[:alpha:]]", "\\Z", "a" * 5_000,
]  # fmt: skip


@pytest.fixture
async def canaries(database_url: str) -> AsyncIterator[Records]:
    async with DataFlow(database_url, pool_size=2) as db:

        @db.model
        class Canary:
            __tablename__ = "canaries"
            name: str
            meta: dict[str, Any] | None = None
            tags: list[str] = []  # noqa: RUF012  as users write it

        await db[Canary].bulk_create(
            [{"name": "tweety", "meta": {"key": "secret"}, "tags": ["x"]}] * 3
        )
        yield db[Canary]
    db.close()


def attacks(text: str) -> Iterator[tuple[str, Given]]:
    """Yield the lists that a hostile text may be put into, and the place it has."""
    places: dict[str, Given] = {
        "name": {text: "tweety"},
        "operator": {"name": {text: "tweety"}},
        "value": {"name": text},
        "values": {"name": {"$in": [text]}},
        "path": {f"meta.{text}": {"$eq": "x"}},
        "key": {"meta": {"$hasKey": text}},
        "path value": {"meta.key": text},
        "element": {"tags": {"$all": [text]}},
        "field": {"name": {"$eq": {"$field": text}}},
        "like": {"name": {"$like": f"x{text}"}},
        "contains": {"name": {"$contains": f"x{text}"}},
        "icontains": {"name": {"$icontains": f"x{text}"}},
        "starts": {"name": {"$startsWith": f"x{text}"}},
        "regex": {"name": {"$regex": f"^({text})$"}},
        "options": {"name": {"$regex": "x", "$options": text}},
        "nested": {"$and": [{"$or": [{"name": text}, {text: 1}]}]},
    }
    if text in OPERATORS:
        del places["operator"]
    for place, given in places.items():
        yield place, {"filter": given}
    yield "order", {"order_by": text}
    yield "descending", {"order_by": f"-{text}"}
    yield "ordered", {"order_by": [{"field": text, "order": "desc"}]}
    yield "direction", {"order_by": {"name": text}}
    yield "mapped", {"order_by": {text: 1}}
    yield "cursor", {"cursor": text}
    yield "fields", {"fields": [text]}


ORDERS = frozenset({"order", "descending", "ordered", "mapped", "fields"})


async def test_a_hostile_text_finds_nothing_wherever_it_is_put(
    canaries: Records,
) -> None:
    whole = (await canaries.list(limit=None))["records"]
    n_refused = n_empty = 0
    for text in HOSTILE:
        for place, given in attacks(text):
            try:
                page = await canaries.list(**given)
            except FilterError:
                n_refused += 1
            except UnknownFieldError:
                assert place == "fields"
                n_refused += 1
            else:
                # An order of nothing is none.
                is_order = place in ORDERS and not text.strip()
                assert page["records"] == [] or is_order, (place, text)
                n_empty += 1

    assert (await canaries.list(limit=None))["records"] == whole
    assert n_refused > 1_000
    assert n_empty > 500
