"""Many rows at once: loads keep what single statements promise, on any table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any, ClassVar
from uuid import UUID, uuid4

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    ConnectionLostError,
    ConstraintError,
    DuplicateKeyError,
    MissingFieldError,
    QueryError,
)
from dataflow.nodes import registry
from dataflow.sql import Statement, table_of

Ask = Callable[..., Awaitable[Any]]

OLD = datetime(2020, 1, 1, tzinfo=UTC)
numbers = count(1)


@pytest.fixture
async def item(db: DataFlow) -> type:
    @db.model
    class Item:
        __dataflow__: ClassVar = {"timestamps": True}

        code: str = field(unique=True)
        name: str = "unnamed"
        price: int = 1
        note: str | None = None
        number: int = field(default_factory=lambda: next(numbers))

    await db.initialize()
    return Item


@pytest.fixture
async def driver_of_db(database_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    driver = connect(parse_url(database_url), bridge, pool_size=2)
    yield driver
    await driver.aclose()


async def sql(driver: Driver, *texts: str) -> Any:
    async with driver.acquire() as connection:
        results = await connection.run(
            [Statement(text, returns_rows=True) for text in texts]
        )
    return [tuple(row) for row in results[-1].rows]


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"code": f"{n:05}", "price": n} for n in range(start, start + count)]


async def table(db: DataFlow, model: type, *names: str) -> list[tuple[Any, ...]]:
    page = await db[model].list(limit=None, order_by="id", fields=list(names))
    return [tuple(record.values()) for record in page["records"]]


# -- creates ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [60, 3_000])
async def test_rows_of_many_shapes_keep_their_order(
    size: int, db: DataFlow, item: type
) -> None:
    shapes: list[dict[str, Any]] = [
        {},
        {"note": "a"},
        {"note": None, "name": "b"},
        {"created_at": OLD},
        {"id": None},
    ]
    data = [{**row, **shapes[n % 5]} for n, row in enumerate(rows(size))]
    result = await db[item].bulk_create(data, return_ids=True)
    records = (await db[item].list(limit=None))["records"]

    assert result["ids"] == [each["id"] for each in records] == [*range(1, size + 1)]
    assert [each["code"] for each in records] == [row["code"] for row in data]
    assert [each["note"] for each in records[:5]] == [None, "a", None, None, None]
    assert [each["name"] for each in records[:3]] == ["unnamed", "unnamed", "b"]
    assert [each["created_at"] == OLD for each in records[:5]].index(True) == 3
    assert len({each["number"] for each in records}) == size


@pytest.mark.parametrize("size", [60, 3_000])
async def test_keys_may_be_given_to_some_rows(
    size: int, db: DataFlow, item: type
) -> None:
    data = [
        {**row, "id": 50_000 + n} if n % 7 == 3 else row
        for n, row in enumerate(rows(size))
    ]
    result = await db[item].bulk_create(data, return_ids=True)
    stored = dict(await table(db, item, "id", "code"))

    assert [stored[each] for each in result["ids"]] == [row["code"] for row in data]
    assert result["ids"][3] == 50_003


async def test_columns_may_change_in_the_middle_of_a_load(
    db: DataFlow, item: type
) -> None:
    data = rows(3_000)
    for number in range(1_200, 1_300):
        data[number]["id"] = 50_000 + number
    await db[item].bulk_create(data)
    stored = dict(await table(db, item, "code", "id"))

    assert sorted(stored) == [row["code"] for row in data]
    assert stored["01250"] == 51_250


async def test_a_bad_row_is_found_although_columns_change_behind_it(
    db: DataFlow, item: type
) -> None:
    data = rows(4_000)
    data[5]["code"] = "00001"
    for number in range(1_200, 1_300):
        data[number]["id"] = 50_000 + number
    data[3_999]["code"] = "00002"
    result = await db[item].bulk_create(data, error_strategy="continue")

    assert [each["index"] for each in result["errors"]] == [5, 3_999]
    assert result["inserted"] == await db[item].count() == 3_998


async def test_a_key_that_every_row_has_is_changed_by_each(
    db: DataFlow, item: type
) -> None:
    data = [{"price": n} for n in range(80)]
    result = await db[item].bulk_upsert(data, code="a", key_fields=["code"])

    assert (result["inserted"], result["updated"]) == (1, 79)
    assert await table(db, item, "code", "price") == [("a", 79)]


async def test_a_key_made_by_default_is_new_in_each_row(db: DataFlow) -> None:
    @db.model
    class Part:
        key: UUID = field(primary_key=True, default_factory=uuid4)
        name: str

    result = await db[Part].bulk_upsert([{"name": f"{n}"} for n in range(80)])

    assert result["inserted"] == await db[Part].count() == 80


@pytest.mark.parametrize("return_ids", [True, False])
@pytest.mark.parametrize("size", [60, 3_000])
async def test_generated_keys_go_on_behind_explicit_ones(
    size: int,
    return_ids: bool,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    given = [{"id": n + 1, **row} for n, row in enumerate(rows(60))]
    await db[item].bulk_create(given)
    data = rows(size, start=100)
    result = await db[item].bulk_create(data, return_ids=return_ids)
    stored = await table(db, item, "id", "code")

    # Keys that a failed attempt took are not given again.
    made = [each for each, _ in stored[60:]]
    assert made == list(range(made[0], made[0] + size))
    assert result.get("ids", made) == made
    assert made[0] > 60


@pytest.mark.parametrize("size", [60, 3_000])
async def test_bad_rows_are_found_among_many(
    size: int, db: DataFlow, item: type
) -> None:
    data: list[Any] = [
        {**row, "note": "x"} if n % 2 else row for n, row in enumerate(rows(size))
    ]
    data[7] = {"code": "00003"}
    data[20] = 5
    data[-1] = {"code": "00000"}
    with pytest.raises(DuplicateKeyError):
        await db[item].bulk_create([*data[:20], *data[21:]])
    n_rows = await db[item].count()
    result = await db[item].bulk_create(
        data, error_strategy="continue", return_ids=True
    )
    stored = dict(await table(db, item, "id", "code"))

    assert n_rows == 0
    assert [each["index"] for each in result["errors"]] == [7, 20, size - 1]
    assert (result["inserted"], result["failed"]) == (size - 3, 3)
    good = [row["code"] for n, row in enumerate(data) if n not in {7, 20, size - 1}]
    assert [stored[each] for each in result["ids"]] == good


async def test_keys_of_their_own_are_told_too(db: DataFlow) -> None:
    @db.model
    class Part:
        key: UUID = field(primary_key=True, default_factory=uuid4)
        name: str

    @db.model
    class Cell:
        x: int = field(primary_key=True)
        y: int = field(primary_key=True)

    parts = await db[Part].bulk_create(
        [{"name": f"{n}"} for n in range(80)], return_ids=True
    )
    cells = await db[Cell].bulk_create(
        [{"x": n, "y": -n} for n in range(80)], return_ids=True
    )
    stored = (await db[Part].list(limit=None))["records"]

    assert {each["key"] for each in stored} == set(parts["ids"])
    assert cells["ids"] == [{"x": n, "y": -n} for n in range(80)]


async def test_a_model_of_nothing_but_a_key_takes_many_rows(db: DataFlow) -> None:
    @db.model
    class Ticket:
        pass

    result = await db[Ticket].bulk_create([{} for _ in range(80)], return_ids=True)

    assert result["ids"] == list(range(1, 81))


async def test_large_values_are_split_into_several_loads(db: DataFlow) -> None:
    @db.model
    class File:
        name: str = field(unique=True)
        data: bytes

    files = [{"name": f"{n}", "data": bytes(200_000)} for n in range(120)]
    created = await db[File].bulk_create(files)
    upserted = await db[File].bulk_upsert(files, key_fields=["name"])

    assert (created["inserted"], upserted["updated"]) == (120, 120)


async def test_on_a_connection_that_is_lent_all_of_it_is_one_transaction(
    db: DataFlow, item: type, driver_of_db: Driver
) -> None:
    creating: Any = registry.resolve("ItemBulkCreateNode")
    changing: Any = registry.resolve("ItemBulkUpdateNode")
    table = table_of(creating.model, driver_of_db.dialect)
    data = rows(150)
    good = creating.plan({"data": data, "batch_size": 60}, "it")
    change = changing.plan(
        {"data": [{"id": n, "price": 0} for n in range(1, 151)]}, "it"
    )
    bad = creating.plan({"data": [*rows(150, 500), data[0]], "batch_size": 60}, "it")
    async with driver_of_db.acquire() as connection:
        created = await creating.perform(connection, table, good)
        changed = await changing.perform(connection, table, change)
        with pytest.raises(DuplicateKeyError):
            await creating.perform(connection, table, bad)

    assert (created["inserted"], changed["updated"]) == (150, 150)
    assert await db[item].count({"price": 0}) == await db[item].count() == 150


# -- upserts and updates ---------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [80, 10_000])
@pytest.mark.parametrize("seed", range(4))
async def test_an_upsert_is_as_if_row_came_after_row(
    seed: int, batch_size: int, db: DataFlow, item: type
) -> None:
    random = Random(seed)  # noqa: S311  no secret
    await db[item].bulk_create(
        [{"code": f"{n}", "name": "old", "price": -1} for n in range(0, 60, 2)]
    )
    expected = {f"{n}": ("old", -1, None) for n in range(0, 60, 2)}
    data: list[dict[str, Any]] = []
    inserted = 0
    for place in range(240):
        row: dict[str, Any] = {"code": f"{random.randrange(150)}"}
        if random.random() < 0.8:
            row["price"] = place
        if seed % 2 and random.random() < 0.3:
            row["note"] = f"{place}"
        inserted += row["code"] not in expected
        name, price, note = expected.get(row["code"], ("unnamed", 1, None))
        expected[row["code"]] = (name, row.get("price", price), row.get("note", note))
        data.append(row)
    result = await db[item].bulk_upsert(
        data, key_fields=["code"], batch_size=batch_size, return_ids=True
    )
    stored = await table(db, item, "id", "code", "name", "price", "note")

    assert {code: tuple(rest) for _, code, *rest in stored} == expected
    assert (result["inserted"], result["updated"]) == (inserted, 240 - inserted)
    by_id = {each: code for each, code, *_ in stored}
    assert [by_id[each] for each in result["ids"]] == [row["code"] for row in data]


@pytest.mark.parametrize("batch_size", [80, 10_000])
async def test_a_key_that_comes_again_and_again_is_changed_each_time(
    batch_size: int, db: DataFlow, item: type
) -> None:
    data = [{"code": f"{n % 7}", "price": n} for n in range(210)]
    result = await db[item].bulk_upsert(
        data, key_fields=["code"], batch_size=batch_size
    )

    assert (result["inserted"], result["updated"]) == (7, 203)
    assert dict(await table(db, item, "code", "price")) == {
        f"{n}": 203 + n for n in range(7)
    }


@pytest.mark.parametrize("return_ids", [True, False])
async def test_rows_that_exist_are_skipped(
    return_ids: bool,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    await db[item].bulk_create(rows(50))
    data = [*rows(100), *rows(100, start=50)]
    result = await db[item].bulk_create(
        data,
        conflict_resolution="skip",
        key_fields=["code"],
        return_ids=return_ids,
    )
    stored = dict(await table(db, item, "id", "code"))

    assert (result["inserted"], result["skipped"]) == (100, 100)
    if return_ids:
        new = [f"{n:05}" for n in range(50, 150)]
        assert [stored[each] for each in result["ids"]] == new


async def test_a_default_does_not_overwrite_many_rows(db: DataFlow, item: type) -> None:
    await db[item].bulk_create(
        [
            {**row, "name": "old", "created_at": OLD, "updated_at": OLD}
            for row in rows(90)
        ]
    )
    await db[item].bulk_upsert(
        [{"code": f"{n:05}"} for n in range(90)], key_fields="code"
    )
    records = (await db[item].list(limit=None))["records"]

    assert {each["name"] for each in records} == {"old"}
    assert [each["price"] for each in records] == list(range(90))
    assert {each["created_at"] for each in records} == {OLD}
    assert all(each["updated_at"] > OLD for each in records)


async def test_composite_keys_and_scalars_tell_rows_apart(db: DataFlow) -> None:
    @db.model
    class Cell:
        __dataflow__: ClassVar = {
            "indexes": [{"fields": ["sheet", "x"], "unique": True}]
        }

        sheet: str
        x: int
        value: int = 0

    data = [{"x": n % 90, "value": n} for n in range(180)]
    result = await db[Cell].bulk_upsert(data, sheet="a", key_fields=["x", "sheet"])
    again = await db[Cell].bulk_upsert(
        [{"x": n, "value": n} for n in range(90)], sheet="b", key_fields=["sheet", "x"]
    )

    assert (result["inserted"], result["updated"]) == (90, 90)
    assert again["inserted"] == 90
    assert await db[Cell].count({"sheet": "a", "value": {"$gte": 90}}) == 90


async def test_a_row_of_many_must_say_what_tells_it(db: DataFlow, item: type) -> None:
    data: list[dict[str, Any]] = [*rows(80), {"price": 1}]
    with pytest.raises(MissingFieldError) as error:
        await db[item].bulk_upsert(data, key_fields=["code"])

    assert error.value.owner == "ItemBulkUpsertNode data[80]"
    assert await db[item].count() == 0


@pytest.mark.parametrize("batch_size", [80, 10_000])
async def test_of_many_changes_of_a_row_the_last_wins(
    batch_size: int, db: DataFlow, item: type
) -> None:
    await db[item].bulk_create(rows(100))
    data = [{"id": n % 120 + 1, "price": n} for n in range(240)]
    result = await db[item].bulk_update(data=data, batch_size=batch_size)

    assert (result["updated"], result["skipped"]) == (200, 40)
    assert await table(db, item, "price") == [(120 + n,) for n in range(100)]


@pytest.mark.parametrize("atomic", [None, True])
async def test_a_change_that_breaks_a_rule_changes_none_of_its_batch(
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    await db[item].bulk_create(rows(100))
    data = [{"id": n, "code": f"new {n}"} for n in range(1, 80)]
    with pytest.raises(DuplicateKeyError):
        await db[item].bulk_update(
            data=[*data, {"id": 80, "code": "00099"}], atomic=atomic
        )

    assert await db[item].count({"code": {"$regex": "^new"}}) == 0


async def test_many_loads_at_once_do_not_meet(db: DataFlow, item: type) -> None:
    async def work(part: int) -> None:
        mine = [{**row, "code": f"{part} {row['code']}"} for row in rows(200)]
        await db[item].bulk_create(mine, batch_size=70)
        await db[item].bulk_upsert(mine, key_fields=["code"], batch_size=70)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for part in range(4):
                tasks.start_soon(work, part)

    assert await db[item].count() == 800


# -- tables that are not as we would make them -----------------------------------------


async def test_a_trigger_that_leaves_rows_out_is_counted(
    db: DataFlow, item: type, driver_of_db: Driver
) -> None:
    if driver_of_db.dialect.name == "sqlite":
        texts = [
            (
                "CREATE TRIGGER odd BEFORE INSERT ON items WHEN NEW.price % 2 = 1 "
                "BEGIN SELECT RAISE(IGNORE); END"
            )
        ]
    else:
        texts = [
            (
                "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                "IF NEW.price % 2 = 1 THEN RETURN NULL; END IF; RETURN NEW; END$$"
            ),
            (
                "CREATE TRIGGER odd BEFORE INSERT ON items FOR EACH ROW "
                "EXECUTE FUNCTION odd()"
            ),
        ]
    await sql(driver_of_db, *texts)
    plain = await db[item].bulk_create(rows(80))
    large = await db[item].bulk_create(rows(2_000, start=100))
    told = await db[item].bulk_create(rows(80, start=3_000), return_ids=True)
    upsert = await db[item].bulk_upsert(rows(80, start=60), key_fields=["code"])
    stored = {each for (each,) in await table(db, item, "id")}

    assert (plain["inserted"], plain["skipped"]) == (40, 40)
    assert (large["inserted"], large["skipped"]) == (1_000, 1_000)
    assert told["inserted"] == len(told["ids"]) == 40
    assert stored.issuperset(told["ids"])
    assert (upsert["inserted"], upsert["updated"]) == (10, 30)
    assert upsert["skipped"] == 40


async def test_columns_of_other_types_take_what_fits(
    db: DataFlow, driver_of_db: Driver
) -> None:
    await sql(
        driver_of_db,
        "CREATE TABLE things (id integer PRIMARY KEY, name varchar(20) UNIQUE, n smallint)",
    )

    @db.model
    class Thing:
        name: str = field(unique=True)
        n: int

    data = [{"id": n, "name": f"{n}", "n": n} for n in range(80)]
    created = await db[Thing].bulk_create(data)
    upserted = await db[Thing].bulk_upsert(data, key_fields=["name"], return_ids=True)
    updated = await db[Thing].bulk_update(data=[{"id": n, "n": 0} for n in range(80)])

    assert (created["inserted"], upserted["updated"]) == (80, 80)
    assert upserted["ids"] == list(range(80))
    assert updated["updated"] == await db[Thing].count({"n": 0}) == 80


async def test_a_table_that_is_not_there_is_an_error_of_the_database(
    db: DataFlow, item: type, driver_of_db: Driver
) -> None:
    await sql(driver_of_db, "DROP TABLE items")
    for size in (3, 80):
        with pytest.raises(QueryError):
            await db[item].bulk_create(rows(size))


class Odd(str):
    """Text that Python calls another, and the database the same."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


async def test_keys_may_be_the_same_without_looking_so(
    db: DataFlow, item: type
) -> None:
    data = rows(80)
    odd = [{"code": Odd(row["code"]), "price": -1} for row in data]
    result = await db[item].bulk_upsert([*data, *odd], key_fields=["code"])
    again = await db[item].bulk_upsert(
        [*data, *odd], key_fields=["code"], atomic=True, batch_size=100
    )

    assert (result["inserted"], result["updated"]) == (80, 80)
    assert again["updated"] == 160
    assert await db[item].count({"price": -1}) == 80


@pytest.mark.postgres
@pytest.mark.parametrize("return_ids", [True, False])
async def test_row_level_security_is_kept(
    return_ids: bool,  # noqa: FBT001  a parameter of the test
    postgres_url: str,
    bridge: Bridge,
) -> None:
    driver = connect(parse_url(postgres_url), bridge)
    async with DataFlow(postgres_url) as db:

        @db.model
        class Item:
            code: str = field(unique=True)
            price: int = 1

        await db.initialize()
        await sql(
            driver,
            "ALTER TABLE items ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE items FORCE ROW LEVEL SECURITY",
            "CREATE POLICY cheap ON items USING (price < 100) WITH CHECK (price < 100)",
            f"CREATE ROLE member_{return_ids}",
            f"GRANT ALL ON items TO member_{return_ids}",
            "SELECT 1",
        )
        role = f"?options=-c%20role%3Dmember_{str(return_ids).lower()}"
        url = postgres_url + (role if "?" not in postgres_url else "&" + role[1:])
        async with DataFlow(url) as mine:
            mine.model(type("Item", (), dict(vars(Item)) | {}))
            items = mine["Item"]
            created = await items.bulk_create(rows(90), return_ids=return_ids)
            large = await items.bulk_create(
                [{"code": f"x{n}"} for n in range(2_000)], return_ids=return_ids
            )
            with pytest.raises(QueryError):
                await items.bulk_create(rows(80, start=95))
            upserted = await items.bulk_upsert(rows(99), key_fields=["code"])
            updated = await items.bulk_update(
                data=[{"id": n, "price": 5} for n in range(1, 91)]
            )
            n_rows = await items.count()
    await sql(
        driver,
        f"DROP OWNED BY member_{return_ids}",
        f"DROP ROLE member_{return_ids}",
        "SELECT 1",
    )
    await driver.aclose()

    assert (created["inserted"], large["inserted"]) == (90, 2_000)
    assert (upserted["inserted"], upserted["updated"]) == (9, 90)
    assert (updated["updated"], n_rows) == (90, 2_099)


@pytest.mark.postgres
async def test_rules_and_views_are_not_passed_by(
    postgres_url: str, bridge: Bridge
) -> None:
    driver = connect(parse_url(postgres_url), bridge)
    async with DataFlow(postgres_url) as db:

        @db.model
        class Item:
            code: str = field(unique=True)

        @db.model
        class Seen:
            __tablename__ = "seen"
            code: str

        await db[Item].count()
        await sql(
            driver,
            "CREATE VIEW seen AS SELECT id, code FROM items",
            "CREATE TABLE log (code text)",
            "CREATE RULE noted AS ON INSERT TO items DO ALSO "
            "INSERT INTO log VALUES (NEW.code)",
            "SELECT 1",
        )
        viewed = await db[Seen].bulk_create([{"code": f"v{n}"} for n in range(80)])
        await db[Item].bulk_create([{"code": f"{n}"} for n in range(80)])
        ((n_noted,),) = await sql(driver, "SELECT count(*) FROM log")
    await driver.aclose()

    assert viewed["inserted"] == 80
    assert n_noted == 160


@pytest.mark.postgres
async def test_without_the_right_to_stage_rows_they_are_stored_one_by_one(
    postgres_url: str, bridge: Bridge
) -> None:
    driver = connect(parse_url(postgres_url), bridge)
    async with DataFlow(postgres_url) as db:

        @db.model
        class Item:
            code: str = field(unique=True)

        await db.initialize()
        name = parse_url(postgres_url).database
        await sql(
            driver,
            "CREATE ROLE plain",
            f'REVOKE TEMP ON DATABASE "{name}" FROM PUBLIC',
            "GRANT ALL ON items TO plain",
            "SELECT 1",
        )
        role = "options=-c%20role%3Dplain"
        url = postgres_url + ("&" if "?" in postgres_url else "?") + role
        async with DataFlow(url) as mine:
            mine.model(type("Item", (), dict(vars(Item))))
            created = await mine["Item"].bulk_create(
                [{"code": f"{n}"} for n in range(80)]
            )
            upserted = await mine["Item"].bulk_upsert(
                [{"code": f"{n}"} for n in range(90)], key_fields=["code"]
            )
    await sql(driver, "DROP OWNED BY plain", "DROP ROLE plain", "SELECT 1")
    await driver.aclose()

    assert created["inserted"] == 80
    assert (upserted["inserted"], upserted["updated"]) == (10, 80)


@pytest.mark.postgres
@pytest.mark.parametrize("size", [800, 40_000])
@pytest.mark.parametrize("atomic", [None, True])
async def test_a_connection_that_is_cut_in_a_load_is_told_at_once(
    size: int,
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    postgres_url: str,
    bridge: Bridge,
) -> None:
    driver = connect(parse_url(postgres_url), bridge)
    async with DataFlow(postgres_url) as db:

        @db.model
        class Item:
            code: str = field(unique=True)

        await db.initialize()
        await sql(
            driver,
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
            "IF NEW.code = '700' THEN PERFORM pg_terminate_backend(pg_backend_pid()); "
            "END IF; RETURN NEW; END$$",
            "CREATE TRIGGER cut AFTER INSERT ON items FOR EACH ROW "
            "EXECUTE FUNCTION cut()",
            "SELECT 1",
        )
        with anyio.fail_after(20), pytest.raises(ConnectionLostError):
            await db[Item].bulk_create(
                [{"code": f"{n}"} for n in range(size)],
                batch_size=50_000,
                atomic=atomic,
            )
        await sql(driver, "DROP TRIGGER cut ON items", "SELECT 1")
        n_rows = await db[Item].count()
        again = await db[Item].bulk_create([{"code": f"{n}"} for n in range(size)])
    await driver.aclose()

    assert (n_rows, again["inserted"]) == (0, size)


async def test_a_rule_of_the_database_is_told_as_it_is(
    db: DataFlow, item: type, driver_of_db: Driver
) -> None:
    await sql(driver_of_db, "CREATE UNIQUE INDEX one_name ON items (name)")
    with pytest.raises(ConstraintError) as error:
        await db[item].bulk_create(rows(80))

    assert error.value.fields == ("name",)
