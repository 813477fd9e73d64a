"""What triggers of a database do for a message is judged by the rules, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from dataflow import DataFlow, field
from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import BlockedError, WriteBlockedError
from dataflow.models import declare as declared
from dataflow.nodes.model import Triggers
from dataflow.protection import Policy, allow, deny, require_approval
from dataflow.sql import POSTGRESQL, Statement

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]

KEPT = deny("write", models="Kept", id="kept")


def declare(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        n: int = 0

    @db.model
    class Kept:
        name: str

    @db.model
    class Log:
        name: str

    @db.model
    class Child:
        name: str
        item_id: int | None = field(
            default=None, references="Item", on_delete="cascade"
        )


def trigger(is_postgresql: bool, event: str, source: str, *does: str) -> list[str]:  # noqa: FBT001
    """Return the statements that make a trigger on a table."""
    name, body = f"on_{source}_{event}", "; ".join(does)
    if not is_postgresql:
        return [f"CREATE TRIGGER {name} AFTER {event} ON {source} BEGIN {body}; END"]
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body}; RETURN NULL; END $$"
    )
    made = f"CREATE TRIGGER {name} AFTER {event} ON {source} FOR EACH ROW"
    return [function, f"{made} EXECUTE FUNCTION {name}()"]


@pytest.fixture
def opened(database_url: str, bridge: Bridge) -> Open:
    """Give what opens a database with triggers, under rules."""

    @asynccontextmanager
    async def opened(
        rules: Any, *triggers: tuple[str, str, str], **more: Any
    ) -> AsyncGenerator[DataFlow]:
        plain = DataFlow(database_url)
        declare(plain)
        async with plain:
            await plain["Item"].bulk_create([{"name": "a"}, {"name": "b"}])
            await plain["Kept"].create(name="kept")
            await plain["Log"].create(name="log")
            await plain["Child"].create(name="child", item_id=1)
        plain.close()
        driver = connect(parse_url(database_url), bridge)
        is_postgresql = driver.dialect is POSTGRESQL
        async with driver.acquire() as connection:
            for event, source, does in triggers:
                for text in trigger(is_postgresql, event, source, does):
                    await connection.run((Statement(text),))
        await driver.aclose()
        db = DataFlow(database_url, protection=rules, **more)
        declare(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return opened


async def rows_of(url: str) -> dict[str, list[str]]:
    plain = DataFlow(url)
    declare(plain)
    async with plain:
        found = {
            name: [
                row["name"] for row in (await plain[name].list(limit=None))["records"]
            ]
            for name in ("Item", "Kept", "Log", "Child")
        }
    plain.close()
    return found


AS_THEY_WERE = {
    "Item": ["a", "b"],
    "Kept": ["kept"],
    "Log": ["log"],
    "Child": ["child"],
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "create": lambda rows: rows.create(name="new"),
    "update": lambda rows: rows.update(1, n=5),
    "delete": lambda rows: rows.delete(1),
    "upsert": lambda rows: rows.upsert(
        where={"id": 1}, create={"name": "x"}, update={"n": 3}
    ),
    "bulk_create": lambda rows: rows.bulk_create([{"name": "c"}, {"name": "d"}]),
    "bulk_create of many": lambda rows: rows.bulk_create(
        [{"name": f"{n}"} for n in range(600)]
    ),
    "bulk_update": lambda rows: rows.bulk_update(filter={"n": 0}, update={"n": 2}),
    "bulk_update by rows": lambda rows: rows.bulk_update(data=[{"id": 1, "n": 2}]),
    "bulk_delete": lambda rows: rows.bulk_delete(ids=[1]),
    "bulk_upsert": lambda rows: rows.bulk_upsert([{"id": 1, "name": "y"}]),
}
TO_KEPT = tuple(
    (event, "items", "INSERT INTO kepts (name) VALUES ('stray')")
    for event in ("INSERT", "UPDATE", "DELETE")
)
TO_LOG = tuple(
    (event, "items", "INSERT INTO logs (name) VALUES ('noted')")
    for event in ("INSERT", "UPDATE", "DELETE")
)


async def test_a_trigger_is_no_way_around(opened: Open, database_url: str) -> None:
    with capture_logs() as events:
        async with opened(KEPT, *TO_KEPT) as db:
            for write in WRITES.values():
                with pytest.raises(WriteBlockedError) as caught:
                    await write(db["Item"])
                assert (caught.value.rule, caught.value.model) == ("kept", "Kept")
    rows = await rows_of(database_url)
    denied = [each for each in events if each["event"] == "write_denied"]

    assert rows == AS_THEY_WERE
    assert len(denied) == len(WRITES)


async def test_a_trigger_that_the_rules_allow_does_its_work(
    opened: Open, database_url: str
) -> None:
    async with opened(KEPT, *TO_LOG) as db:
        for write in WRITES.values():
            await write(db["Item"])
    rows = await rows_of(database_url)

    assert rows["Log"].count("noted") > len(WRITES)
    assert rows["Kept"] == ["kept"]


REFUSING: tuple[Any, ...] = (
    Policy.production(allow("write", models="Item")),
    require_approval("create", models="Kept"),
    deny("create", models="Kept", fields="name"),
    deny("create", models="Kept", when={"new.name": "elsewhere"}),
    deny("write", max_rows=100),
    [deny("update", fields="n", models="Item"), KEPT],
    [deny("update", when={"old.n": 7}, models="Item"), KEPT],
)


async def test_rules_hold_for_triggers_as_for_raw_sql(
    opened: Open, database_url: str
) -> None:
    async with opened(KEPT, *TO_KEPT) as db:
        for rules in REFUSING:
            db.protection.replace(rules)
            with pytest.raises(BlockedError):
                await db["Item"].create(name="new")
            with pytest.raises(BlockedError):
                await db["Item"].update(2, name="new")
    rows = await rows_of(database_url)

    assert rows == AS_THEY_WERE


async def test_who_may_pass_by_the_rule_may_set_off_the_trigger(
    opened: Open, database_url: str
) -> None:
    async with opened(KEPT, *TO_KEPT) as db:
        async with db.override(rules=["kept"], reason="r", ticket="t", ttl=60):
            await db["Item"].create(name="new")
        with pytest.raises(WriteBlockedError):
            await db["Item"].create(name="newer")
    rows = await rows_of(database_url)

    assert rows["Kept"] == ["kept", "stray"]


async def test_who_has_approval_may_set_off_the_trigger(
    opened: Open, database_url: str
) -> None:
    async def approve(approval: object) -> bool:
        del approval
        return True

    rules = [require_approval("create", models=["Item", "Kept"], id="asked")]
    async with opened(rules, *TO_KEPT, approve=approve) as db:
        await db["Item"].create(name="new")
    rows = await rows_of(database_url)

    assert rows["Kept"] == ["kept", "stray"]


async def test_triggers_of_triggers_and_of_cascades_are_judged(
    opened: Open, database_url: str
) -> None:
    async with opened(
        KEPT,
        ("INSERT", "items", "INSERT INTO logs (name) VALUES ('noted')"),
        ("INSERT", "logs", "UPDATE kepts SET name = 'stray'"),
        ("DELETE", "childs", "DELETE FROM kepts"),
    ) as db:
        with pytest.raises(WriteBlockedError, match="kept"):
            await db["Item"].create(name="new")
        with pytest.raises(WriteBlockedError, match="kept"):
            await db["Item"].delete(1)
    rows = await rows_of(database_url)

    assert rows == AS_THEY_WERE


async def test_each_message_of_a_turn_is_judged_by_itself(
    opened: Open, database_url: str
) -> None:
    rule = deny("create", models="Log", when={"principal": {"$ne": "ada"}}, id="ada")
    errors: list[BlockedError] = []

    async def create(db: DataFlow, principal: str) -> None:
        with db.acting(principal):
            try:
                await db["Item"].create(name=principal)
            except BlockedError as error:
                errors.append(error)

    async with opened(rule, *TO_LOG) as db, anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(create, db, "ada" if n % 2 else f"bob{n}")
    rows = await rows_of(database_url)

    assert len(errors) == 10
    assert rows["Item"] == ["a", "b", *["ada"] * 10]
    assert rows["Log"].count("noted") == 10


async def test_a_trigger_that_is_made_later_is_found(
    database_url: str, bridge: Bridge
) -> None:
    class Item:
        name: str

    now = 0.0
    driver = connect(parse_url(database_url), bridge)
    triggers = Triggers(driver, lambda: now)
    model = declared(Item)
    async with driver.acquire() as connection:
        is_postgresql = driver.dialect is POSTGRESQL
        await connection.run((Statement("CREATE TABLE items (name text)"),))
        before = await triggers.reach(model)
        for text in trigger(is_postgresql, "INSERT", "items", "DELETE FROM items"):
            await connection.run((Statement(text),))
        soon = await triggers.reach(model)
        now = 1.0
        later = await triggers.reach(model)
    await driver.aclose()

    assert (before, soon, later) == (False, False, True)
