"""Tables that others made: each type is written, read, filtered and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from dataflow import DataFlow
from dataflow.drivers import Driver
from dataflow.errors import DriverError, FieldValueError, ParameterError
from dataflow.sql import Statement

A_UUID = UUID(int=1)
AN_INSTANT = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
NAIVE = AN_INSTANT.replace(tzinfo=None)
NOON = time(12, 30, 15, 5)

POSTGRESQL: dict[str, tuple[str, Sequence[Any]]] = {
    "smallint": ("smallint", [1, -(2**15), 2**15 - 1]),
    "integer": ("integer", [1, -(2**31), 2**31 - 1]),
    "bigint": ("bigint", [1, -(2**63), 2**63 - 1]),
    "real": ("real", [0.5, -1.25, 2.0**60]),
    "double": ("double precision", [0.1, -1.25, 1e300]),
    "numeric": ("numeric", [Decimal("0.1"), Decimal("1e30"), Decimal(-3)]),
    "numeric_sized": ("numeric(10, 2)", [Decimal("0.10"), Decimal("99999999.99")]),
    "boolean": ("boolean", [True, False]),
    "text": ("text", ["", "a", "Ä%_"]),
    "varchar": ("varchar", ["", "a", "Ä%_"]),
    "varchar_sized": ("varchar(5)", ["", "a", "12345"]),
    "char_sized": ("char(3)", ["abc", "xyz"]),
    "name": ('"name"', ["a", "b"]),
    "bytea": ("bytea", [b"", b"\0a"]),
    "date": ("date", [date(2024, 2, 29), date(1, 2, 1)]),
    "time": ("time", [NOON, time(0)]),
    "timestamp": ("timestamp", [NAIVE, datetime(1970, 1, 1)]),  # noqa: DTZ001
    "timestamp_3": ("timestamp(3)", [NAIVE.replace(microsecond=123000)]),
    "timestamptz": ("timestamptz", [AN_INSTANT, datetime(1970, 1, 1, tzinfo=UTC)]),
    "interval": ("interval", [timedelta(days=3, seconds=5), timedelta(-1)]),
    "uuid": ("uuid", [A_UUID, UUID(int=2**128 - 1)]),
    "jsonb": ("jsonb", [{"a": [1, None]}, [1, "b"], "c"]),
    "json": ("json", [{"a": [1, None]}, [1, "b"], "c"]),
    "inet": ("inet", ["10.0.0.1", "10.0.0.0/8", "::1"]),
    "cidr": ("cidr", ["10.0.0.0/8", "::/0"]),
    "macaddr": ("macaddr", ["08:00:2b:01:02:03"]),
    "macaddr8": ("macaddr8", ["08:00:2b:ff:fe:01:02:03"]),
    "mood": ("mood", ["sad", "happy"]),
    "positive": ("positive", [1, 5]),
    "email": ("email", ["a@b", "c@d"]),
    "ints": ("integer[]", [[1, 2], [], [2**31 - 1]]),
    "texts": ("varchar(5)[]", [["a", "b"], []]),
    "stamps": ("timestamp[]", [[NAIVE], []]),
    "moods": ("mood[]", [["sad", "happy"], []]),
}
SQLITE: dict[str, tuple[str, Sequence[Any]]] = {
    "bigint": ("BIGINT", [1, -(2**63), 2**63 - 1]),
    "smallint": ("SMALLINT", [1, -(2**15)]),
    "float": ("FLOAT", [0.1, -1.25, 3.0]),
    "double": ("DOUBLE PRECISION", [0.1, 1e300]),
    "numeric": ("NUMERIC", [Decimal("0.1"), Decimal(10), Decimal("-12345678.25")]),
    "decimal": ("DECIMAL(10,2)", [Decimal("0.99"), Decimal("99999999.99")]),
    "boolean": ("BOOLEAN", [True, False]),
    "varchar": ("VARCHAR(5)", ["", "a", "12345"]),
    "nvarchar": ("NVARCHAR(160)", ["", "Ä"]),
    "clob": ("CLOB", ["", "a"]),
    "blob": ("BLOB", [b"", b"\0a"]),
    "date": ("DATE", [date(2024, 2, 29)]),
    "time": ("TIME", [NOON]),
    "datetime": ("DATETIME", [NAIVE, datetime(1970, 1, 1)]),  # noqa: DTZ001
    "timestamp": ("TIMESTAMP", [NAIVE]),
    "timestamptz": ("TIMESTAMP WITH TIME ZONE", [AN_INSTANT]),
    "uuid": ("UUID", [A_UUID]),
    "json": ("JSON", [{"a": [1, None]}, [1, "b"]]),
}
TYPES = [
    *(
        pytest.param(
            "postgres_url", *each, id=f"postgres-{name}", marks=pytest.mark.postgres
        )
        for name, each in POSTGRESQL.items()
    ),
    *(
        pytest.param("sqlite_url", *each, id=f"sqlite-{name}")
        for name, each in SQLITE.items()
    ),
]

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

MADE = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    "CREATE DOMAIN email AS varchar(20)",
)


async def run(db: DataFlow, *texts: str) -> None:
    """Run statements of others."""

    async def do(driver: Driver) -> None:
        async with driver.acquire() as connection:
            for text in texts:
                await connection.run([Statement(text)])

    await db._hosting.with_driver(do)  # beside the message path


@pytest.mark.parametrize(("url", "type_", "values"), TYPES)
async def test_a_value_comes_back_by_every_way(
    url: str, type_: str, values: Sequence[Any], request: pytest.FixtureRequest
) -> None:
    database_url = request.getfixturevalue(url)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        if url == "postgres_url":
            await run(db, *MADE)
        serial = "serial" if url == "postgres_url" else "INTEGER"
        await run(db, f"CREATE TABLE things (id {serial} PRIMARY KEY, value {type_})")
        result = await db.register_schema_as_models_async(["things"])
        assert result["errors"] == []
        assert result["left_out"] == {}
        things = db["Thing"]

        created = [await things.create(value=each) for each in (*values, None)]
        assert [row["value"] for row in created] == [*values, None]
        read = [(await things.read(row["id"]))["value"] for row in created]
        assert read == [*values, None]

        bulk = await things.bulk_create(
            [{"value": each} for each in (*values, None)] * 60
        )
        assert bulk["inserted"] == 60 * (len(values) + 1)
        listed = await things.list(limit=None)
        assert [row["value"] for row in listed["records"]] == [*values, None] * 61

        updated = await things.update(created[-1]["id"], value=values[0])
        assert updated["value"] == values[0]
        rows = [{"id": row["id"], "value": values[-1]} for row in created]
        assert (await things.bulk_update(data=rows))["updated"] == len(rows)
        upserted = await things.bulk_upsert(rows)
        assert upserted["updated"] == len(rows)
        assert (await things.read(created[0]["id"]))["value"] == values[-1]


@pytest.mark.parametrize(("url", "type_", "values"), TYPES)
async def test_a_value_is_found_by_a_filter(
    url: str, type_: str, values: Sequence[Any], request: pytest.FixtureRequest
) -> None:
    database_url = request.getfixturevalue(url)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        if url == "postgres_url":
            await run(db, *MADE)
        await run(db, f"CREATE TABLE things (id integer PRIMARY KEY, value {type_})")
        await db.register_schema_as_models_async(["things"])
        things = db["Thing"]
        rows = [{"id": at, "value": each} for at, each in enumerate((*values, None))]
        await things.bulk_create(rows)
        field = db["Thing"].model.field("value")

        for at, value in enumerate(values):
            if not field.type.is_compound:
                assert await ids(db, {"value": value}) == [at]
                assert await ids(db, {"value": {"$in": [value, None]}}) == [
                    at,
                    len(values),
                ]
                assert at not in await ids(db, {"value": {"$gt": value}})
                assert at in await ids(db, {"value": {"$gte": value}})
            elif field.type.element is not None and value:
                assert at in await ids(db, {"value": {"$all": value}})
                assert at in await ids(db, {"value": {"$elemMatch": {"$eq": value[0]}}})
        assert await ids(db, {"value": None}) == [len(values)]
        if not field.type.is_compound:
            page = await things.list(order_by="value", limit=1)
            while page["next_cursor"]:
                page = await things.list(
                    order_by="value", limit=1, cursor=page["next_cursor"]
                )
            assert page["count"] == 1


async def ids(db: DataFlow, where: dict[str, Any]) -> list[int]:
    page = await db["Thing"].list(filter=where, order_by="id", limit=None)
    return [row["id"] for row in page["records"]]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("smallint", 2**15),
        ("integer", 2**31),
        ("real", 1e39),
        ("timestamp", AN_INSTANT),
        ("timestamptz", NAIVE),
        ("inet", "nowhere"),
        ("cidr", "10.0.0.1/8"),
        ("macaddr", "nowhere"),
        ("mood", "furious"),
    ],
)
async def test_a_value_that_the_column_does_not_take_is_refused_first(
    postgres_url: str, type_: str, value: Any
) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(db, *MADE)
        await run(db, f"CREATE TABLE things (id integer PRIMARY KEY, value {type_})")
        await db.register_schema_as_models_async(["things"])
        with pytest.raises(FieldValueError):
            await db["Thing"].create(id=1, value=value)
        result = await db["Thing"].bulk_create(
            [{"id": 1, "value": value}, {"id": 2, "value": None}],
            error_strategy="continue",
        )

        assert (result["inserted"], result["failed"]) == (1, 1)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("type_", "value"),
    [("varchar(3)", "1234"), ("positive", -1)],
)
async def test_a_value_that_only_the_database_judges_is_its_refusal(
    postgres_url: str, type_: str, value: Any
) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(db, *MADE)
        await run(db, f"CREATE TABLE things (id integer PRIMARY KEY, value {type_})")
        await db.register_schema_as_models_async(["things"])
        with pytest.raises(DriverError):
            await db["Thing"].create(id=1, value=value)

        assert await db["Thing"].count() == 0


async def test_decimals_that_a_column_of_numbers_would_round_are_refused(
    sqlite_url: str,
) -> None:
    async with DataFlow(sqlite_url, existing_schema_mode=True) as db:
        await run(db, "CREATE TABLE things (id INTEGER PRIMARY KEY, value NUMERIC)")
        await db.register_schema_as_models_async(["things"])
        with pytest.raises(FieldValueError, match="15 digits"):
            await db["Thing"].create(value=Decimal("12345678901234567.89"))


async def test_computed_changes_of_a_column_of_numbers_are_exact(
    sqlite_url: str,
) -> None:
    async with DataFlow(sqlite_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE things (id INTEGER PRIMARY KEY, a DECIMAL(10,2), b NUMERIC)",
        )
        await db.register_schema_as_models_async(["things"])
        await db["Thing"].create(id=1, a=Decimal("0.10"), b=Decimal("0.1"))
        for _ in range(2):
            await db["Thing"].bulk_update(
                filter={"id": 1}, update={"a": {"$inc": Decimal("0.10")}}
            )
        await db["Thing"].bulk_update(filter={"id": 1}, update={"a": {"$mul": 3}})

        assert (await db["Thing"].read(1))["a"] == Decimal("0.90")
        with pytest.raises(ParameterError):
            await db["Thing"].bulk_update(filter={"id": 1}, update={"b": {"$inc": 1}})


@pytest.mark.postgres
async def test_computed_changes_work_on_narrow_columns(postgres_url: str) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE things (id integer PRIMARY KEY, a smallint, b integer, c real)",
        )
        await db.register_schema_as_models_async(["things"])
        await db["Thing"].create(id=1, a=1, b=2, c=0.5)
        changes = {"a": {"$inc": 1}, "b": {"$mul": 3}, "c": {"$inc": 0.25}}
        await db["Thing"].bulk_update(filter={"id": 1}, update=changes)

        assert (await db["Thing"].read(1)) | {"found": True} == {
            "id": 1,
            "a": 2,
            "b": 6,
            "c": 0.75,
            "found": True,
        }


COMPOUND = ("json", "jsonb", "ints", "texts", "stamps", "moods")
ORDERED = [each for each in TYPES if str(each.id).partition("-")[2] not in COMPOUND]


@pytest.mark.parametrize(("url", "type_", "values"), ORDERED)
async def test_a_value_is_grouped_and_aggregated(
    url: str, type_: str, values: Sequence[Any], request: pytest.FixtureRequest
) -> None:
    database_url = request.getfixturevalue(url)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        if url == "postgres_url":
            await run(db, *MADE)
        await run(db, f"CREATE TABLE things (id integer PRIMARY KEY, value {type_})")
        await db.register_schema_as_models_async(["things"])
        things = db["Thing"]
        rows = [{"id": at, "value": each} for at, each in enumerate(values)]
        await things.bulk_create([*rows, {"id": 99, "value": values[0]}])
        distinct = await things.list(fields=["value"], distinct=True)
        found = await things.aggregate({"n": {"$count": "*"}}, group_by="value")
        ends = await things.aggregate({"a": {"$min": "value"}, "z": {"$max": "value"}})
        ordered = [
            each["value"] for each in (await things.list(order_by="value"))["records"]
        ]

        assert distinct["count"] == found["count"] == len(values)
        assert sum(each["n"] for each in found["groups"]) == len(values) + 1
        assert ends["groups"] == [{"a": ordered[0], "z": ordered[-1]}]
        if type(values[0]) in (int, float, Decimal):
            sums = {"total": {"$sum": "value"}, "mean": {"$avg": "value"}}
            (group,) = (await things.aggregate(sums, filter={"id": {"$in": [0, 99]}}))[
                "groups"
            ]
            assert group == {"total": values[0] * 2, "mean": values[0]}


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("smallint", 1, 2**15),
        ("integer", 1, -(2**31) - 1),
        ("real", 0.5, 1e39),
        ("integer[]", [1], [2**31]),
        ("timestamp", NAIVE, AN_INSTANT),
        ("varchar(3)", "abc", "a\0"),
    ],
)
async def test_many_rows_are_loaded_and_a_bad_one_is_named(
    postgres_url: str, type_: str, good: Any, bad: Any
) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(db, f"CREATE TABLE things (id serial PRIMARY KEY, value {type_})")
        await db.register_schema_as_models_async(["things"])
        rows = [{"value": good} for _ in range(300)]
        made = await db["Thing"].bulk_create(rows, return_ids=True)
        rows[150] = {"value": bad}
        result = await db["Thing"].bulk_create(rows, error_strategy="continue")
        listed = await db["Thing"].list(filter={"id": {"$lte": 300}}, limit=None)

        assert made["ids"] == list(range(1, 301))
        assert (result["inserted"], result["failed"]) == (299, 1)
        assert result["errors"][0]["index"] == 150
        assert {str(each["value"]) for each in listed["records"]} == {str(good)}


@pytest.mark.postgres
@pytest.mark.parametrize("n_rows", [3, 300])
async def test_a_text_too_long_is_the_error_of_its_row(
    postgres_url: str, n_rows: int
) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(db, "CREATE TABLE things (id serial PRIMARY KEY, value varchar(3))")
        await db.register_schema_as_models_async(["things"])
        rows = [{"value": "abc"} for _ in range(n_rows)]
        rows[1] = {"value": "abcd"}
        result = await db["Thing"].bulk_create(rows, error_strategy="continue")

        assert (result["inserted"], result["failed"]) == (n_rows - 1, 1)
        assert result["errors"][0]["index"] == 1
