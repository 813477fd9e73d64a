"""A list can be explained: its SQL, its plan, and what would help; not its values."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from dataflow import DataFlow
from dataflow.errors import FieldValueError, FilterError, UnknownFieldError
from dataflow.sql import Explanation

N_ROWS = 3_000
HIDDEN = "sesame' \"street"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url, pool_size=3) as db:

        @db.model
        class User:
            __indexes__ = [  # noqa: RUF012  as users write it
                {"fields": ["city", "age"]},
                {"fields": ["born"]},
            ]
            name: str
            age: int
            city: str
            born: int | None = None
            meta: dict[str, Any] = {}  # noqa: RUF012

        await db[User].bulk_create(
            {
                "name": f"name {n}",
                "age": n % 90,
                "city": f"city {n % 500}",
                "born": n,
            }
            for n in range(N_ROWS)
        )
        builder = db.workflow()
        builder.add_node(
            "AsyncSQLDatabaseNode",
            "it",
            {"query": "ANALYZE", "validate_queries": False},
        )
        await db.run(builder.build())
        yield db
    db.close()


async def explain(db: DataFlow, **given: Any) -> Explanation:
    return await db["User"].explain(**given)


async def test_a_scan_gets_a_hint_with_the_field_and_the_index(db: DataFlow) -> None:
    told = await explain(db, filter={"age": {"$gt": 88}}, order_by="-name")

    assert told.is_scan
    assert told.is_sorted
    by_age, by_name = told.hints
    assert by_age == (
        'no index serves the filter on User.age: add {"fields": ["age"]} to __indexes__'
    )
    assert by_name == (
        "no index serves the order by User.name, so all rows are sorted: add "
        '{"fields": ["name"]} to __indexes__'
    )
    assert "hint: no index serves the filter on User.age" in str(told)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"order_by": "-id"},
        {"filter": {"id": {"$in": [1, 2, 3]}}},
        {"filter": {"city": "city 7"}},
        {"filter": {"city": "city 7", "age": {"$gt": 3}}, "order_by": "age"},
        {"order_by": "born"},
        {"order_by": "-born"},
        {"filter": {"born": {"$gt": N_ROWS - 5}}, "order_by": "born"},
        {"filter": {"$or": [{"city": "city 7"}, {"born": 8}]}},
    ],
    ids=str,
)
async def test_what_an_index_serves_gets_no_hint(
    given: dict[str, Any], db: DataFlow
) -> None:
    told = await explain(db, **given)

    assert told.hints == (), str(told)
    assert not told.is_scan or not given.get("filter")


async def test_it_names_the_index_that_is_used(db: DataFlow) -> None:
    told = await explain(db, filter={"city": "city 7"}, limit=None)

    assert [name.strip('"') for name in told.indexes] == ["users_city_age_idx"]
    assert not told.is_scan
    assert "users_city_age_idx" in str(told)


async def test_an_index_for_filter_and_order_together_is_named(db: DataFlow) -> None:
    told = await explain(db, filter={"age": 3}, order_by="-name")

    assert any('["age", "name"]' in hint for hint in told.hints)


@pytest.mark.parametrize(
    "given",
    [
        {"name": {"$contains": "7"}},
        {"meta.city": "Bern"},
        {"$or": [{"city": "city 7"}, {"name": {"$regex": "^a"}}]},
        {"$not": {"city": "city 7"}},
    ],
    ids=str,
)
async def test_what_no_index_can_serve_is_said_to_be_so(
    given: dict[str, Any], db: DataFlow
) -> None:
    told = await explain(db, filter=given, limit=None)

    assert [hint.partition(",")[0] for hint in told.hints] == [
        "no index of a model serves this filter"
    ]


async def test_it_tells_types_and_no_values(db: DataFlow) -> None:
    filters: list[dict[str, Any]] = [
        {"name": HIDDEN, "age": 8_765_432_109},
        {"city": HIDDEN, "age": {"$lt": -8_765_432_109}},
        {"name": {"$in": [HIDDEN, "x"]}, "age": {"$ne": 8_765_432_109}},
        {"name": {"$contains": HIDDEN}, "meta.a": 8_765_432_109},
    ]
    for each in filters:
        told = await explain(db, filter=each)
        whole = f"{told} {json.dumps(told.as_dict())}"

        assert "sesame" not in whole
        assert "8765432109" not in whole
        assert told.types[-1] == "int"  # the limit
        assert any(name.startswith(("str", "list[str]")) for name in told.types)


async def test_it_is_a_frozen_value_that_json_holds(db: DataFlow) -> None:
    told = await explain(db, filter={"age": 3})

    assert dict(told) == told.as_dict() == json.loads(json.dumps(dict(told)))
    assert msgspec.json.encode(told)
    assert told["sql"] == told.sql
    assert told.sql.startswith("SELECT ")
    assert (told.rows, told.duration_s) == (None, None)
    with pytest.raises(AttributeError):
        told.sql = ""  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def test_nothing_is_executed_unless_asked(db: DataFlow) -> None:
    told = await explain(db, filter={"age": 3}, limit=7, analyze=True)

    assert told.rows == 8  # the page, and one that says that there is another
    assert told.duration_s is not None
    assert 0 <= told.duration_s < 20
    assert "executed: 8 rows in" in str(told)


async def test_it_explains_a_page_behind_a_cursor(db: DataFlow) -> None:
    page = await db["User"].list(order_by="born", limit=5, offset=2_000)
    told = await explain(db, order_by="born", limit=5, cursor=page["next_cursor"])

    assert not told.is_scan
    assert told.hints == ()
    assert "users_born_idx" in str(told)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"filter": {"agee": 1}}, FilterError),
        ({"order": "age"}, UnknownFieldError),
        ({"analyze": 1}, FieldValueError),
        ({"cursor": "x"}, FilterError),
    ],
    ids=str,
)
async def test_what_is_no_list_is_not_explained(
    given: dict[str, Any], error: type[Exception], db: DataFlow
) -> None:
    with pytest.raises(error):
        await explain(db, **given)


async def test_it_takes_the_path_of_messages(db: DataFlow) -> None:
    await explain(db)
    tree = db.tree()

    assert tree is not None
    assert "UserExplainNode" in repr(tree)
    assert "UserExplainNode" not in db.nodes
    assert "UserStreamNode" not in db.nodes


async def test_a_plan_for_a_tenant_tells_nothing_of_how_many_rows_others_have(
    database_url: str,
) -> None:
    db = DataFlow(database_url)

    @db.model
    class Note:
        text: str
        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    async with db:
        with db.tenant("b"):
            await db[Note].bulk_create([{"text": "x"}] * 100)
        with db.tenant("a"):
            told = await db[Note].explain(filter={"text": "x"}, order_by=["text"])

    assert told.steps
    assert "about" not in str(told)
    assert "Plan Rows" not in str(told.raw)
