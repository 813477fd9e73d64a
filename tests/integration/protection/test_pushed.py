"""Statements that have a database hold rules are run, and tried by other clients."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import DriverError, PolicyError, WriteBlockedError
from dataflow.protection import Policy, Window, allow, deny, require_approval, warn
from dataflow.sql import POSTGRESQL, Statement


def declare(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        status: str = "open"
        price: int = 0
        weight: Decimal | None = None
        extra: dict[str, Any] | None = None
        sku: str | None = field(default=None, immutable=True)
        code: str | None = field(default=None, write_once=True)
        owner: str | None = field(default=None, never_null=True)

    @db.model
    class Note:
        text: str
        done: bool = False

        __dataflow__: ClassVar = {"soft_delete": True, "versioned": True}

    @db.model
    class Part:
        n: int = 0


RULES = [
    deny(
        "delete", models="Part", id="parts stay", reason='it\'s the "law" \\ $dataflow$'
    ),
    deny("update", models="Item", when={"old.status": "paid"}, id="paid"),
    deny(
        "update",
        models="Item",
        fields="price",
        when={"new.price": {"$lt": 0}},
        id="low",
    ),
    deny(
        "create",
        models="Item",
        when={"new.status": {"$in": ["paid", "it's"]}},
        id="new",
    ),
    deny("create", models="Item", fields="price", id="free"),
    deny("delete", models="Item", when={"old.name": {"$like": "k%"}}, id="keep"),
    deny("delete", models="Note", when={"old.done": False}, id="undone"),
    deny("update", models="Note", fields="text", id="text"),
    deny("write", models="Part", when={"principal": "bob"}, id="not-bob"),
    require_approval("update", models="Part", fields="n", id="asked"),
    deny("write", models="Part", max_rows=5, id="few"),
    deny("read", models="Item", fields="owner", id="owners"),
    deny("bulk_create", models="Part", id="by-node"),
    warn("update", models="Part", fields="n", id="noted"),
    deny("create", models="Part", window=Window(zone="UTC"), rate="1/day", id="late"),
]


class Client:
    """Somebody else, with a plain client of the database."""

    def __init__(self, url: str, driver: Driver | None) -> None:
        self._path = url.removeprefix("sqlite:///")
        self._driver = driver

    async def run(self, *texts: str, role: str | None = None) -> None:
        """Run statements, as a role if one is said."""
        if self._driver is None:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as each:
                for text in texts:
                    each.execute(text)
            return
        async with self._driver.acquire() as connection, connection.transaction():
            if role is not None:
                await connection.run((Statement(f"SET LOCAL ROLE {role}"),))
            for text in texts:
                await connection.run((Statement(text),))

    async def refusal(self, text: str) -> str | None:
        """Return what the database says against a statement."""
        try:
            await self.run(text)
        except (sqlite3.IntegrityError, DriverError) as error:
            return str(error)
        return None


@pytest.fixture
async def client(database_url: str, bridge: Bridge) -> AsyncGenerator[Client]:
    url = parse_url(database_url)
    if url.dialect is not POSTGRESQL:
        yield Client(database_url, None)
        return
    driver = connect(url, bridge)
    yield Client(database_url, driver)
    await driver.aclose()


FORBIDDEN = {
    "DELETE FROM parts": 'parts stay (it\'s the "law" \\ $dataflow$) refused delete on Part',
    "UPDATE items SET name = 'x' WHERE status = 'paid'": "paid",
    "UPDATE items SET price = -1 WHERE id = 1": "low",
    "INSERT INTO items (name, status, price) VALUES ('x', 'paid', 0)": "new",
    "INSERT INTO items (name, status, price) VALUES ('x', 'it''s', 0)": "new",
    "INSERT INTO items (name, status, price, owner) VALUES ('x', 'open', 1, 'o')": "free",
    "DELETE FROM items WHERE name = 'kept'": "keep",
    "UPDATE items SET sku = 'x' WHERE id = 1": "immutable:Item.sku",
    "UPDATE items SET sku = NULL WHERE id = 1": "immutable:Item.sku",
    "UPDATE items SET code = 'x' WHERE id = 1": "write_once:Item.code",
    "UPDATE items SET owner = NULL WHERE id = 1": "never_null:Item.owner",
    "INSERT INTO items (name, status, price) VALUES ('x', 'open', 0)": "never_null",
    "INSERT INTO items (id, name, status, price, owner) VALUES (1, 'a', 'open', 0, 'o') "
    "ON CONFLICT (id) DO UPDATE SET price = -5": "low",
    "UPDATE notes SET text = 'x' WHERE id = 1": "text",
    "UPDATE notes SET deleted_at = '2026-01-01' WHERE id = 1": "undone",
    "UPDATE notes SET deleted_at = '2026-01-01', text = 'x' WHERE id = 2": "text",
    "DELETE FROM notes WHERE id = 1": "undone",
}
ALLOWED = (
    "UPDATE items SET name = 'x', price = 7 WHERE id = 1",
    "UPDATE items SET sku = sku, code = code, price = price WHERE id = 1",
    "UPDATE items SET code = 'first' WHERE name = 'kept'",
    "INSERT INTO items (name, status, price, owner) VALUES ('y', 'open', 0, 'o')",
    (
        "INSERT INTO items (id, name, status, price, owner) VALUES (1, 'a', 'open', 0, 'o') "
        "ON CONFLICT (id) DO UPDATE SET price = 5"
    ),
    "DELETE FROM items WHERE name = 'gone'",
    "UPDATE notes SET deleted_at = '2026-01-01' WHERE id = 2",
    "UPDATE notes SET deleted_at = NULL WHERE id = 2",
    "UPDATE parts SET n = 3",
)
ROWS: Sequence[dict[str, Any]] = (
    {"name": "a", "sku": "s", "code": "c", "owner": "o"},
    {"name": "paid", "status": "paid", "owner": "o"},
    {"name": "kept", "owner": "o"},
    {"name": "gone", "owner": "o", "price": 2},
)


async def filled(url: str) -> None:
    plain = DataFlow(url)
    declare(plain)
    async with plain:
        await plain["Item"].bulk_create([dict(each) for each in ROWS])
        await plain["Note"].bulk_create([{"text": "a"}, {"text": "b", "done": True}])
        await plain["Part"].create()
    plain.close()


async def test_a_database_holds_what_is_generated(
    database_url: str, client: Client
) -> None:
    await filled(database_url)
    db = DataFlow(database_url, protection=RULES)
    declare(db)
    statements = db.protection.sql()
    await db.aclose()
    with anyio.fail_after(60):
        await client.run(*statements)
        await client.run(*statements)
        said = {text: await client.refusal(text) for text in FORBIDDEN}
        passed = {text: await client.refusal(text) for text in ALLOWED}
    replaced = DataFlow(database_url, protection=[])
    declare(replaced)
    await client.run(*replaced.protection.sql())
    await replaced.aclose()
    left = [await client.refusal(text) for text in FORBIDDEN if "price = -1" in text]

    assert passed == dict.fromkeys(ALLOWED)
    for text, words in FORBIDDEN.items():
        assert words in str(said[text]), (text, said[text])
    assert left == [None]


async def test_what_the_rules_let_pass_the_database_does(
    database_url: str, client: Client
) -> None:
    await filled(database_url)
    db = DataFlow(database_url, protection=RULES)
    declare(db)
    with anyio.fail_after(60):
        async with db:
            await client.run(*db.protection.sql())
            await db["Item"].create(name="new", owner="o")
            await db["Item"].update(1, name="x", price=3, sku="s")
            await db["Item"].upsert(
                where={"id": 1}, create={"name": "n"}, update={"status": "x"}
            )
            await db["Note"].delete(2)
            await db["Note"].restore(2)
            await db["Note"].update(1, done=True)
            await db["Note"].delete(1)
            await db["Note"].delete(2, permanent=True)
            assert await db["Note"].count() == 0
            with db.acting("ada"):
                await db["Item"].bulk_update(filter={"name": "x"}, update={"price": 9})
            price = (await db["Item"].read(1))["price"]
    db.close()

    assert price == 9


async def test_rules_are_those_of_a_dataflow_until_the_database_has_them(
    database_url: str, client: Client
) -> None:
    await filled(database_url)
    ruled = DataFlow(database_url, protection=deny("delete", id="kept"))
    other = DataFlow(database_url)
    declare(ruled)
    declare(other)
    with anyio.fail_after(60):
        async with ruled, other:
            with pytest.raises(WriteBlockedError):
                await ruled["Part"].delete(1)
            alone = await other["Part"].delete(1)
            await client.run(*ruled.protection.sql())
            with pytest.raises(DriverError, match="kept refused delete on Item"):
                await other["Item"].delete(1)
            # Rules at run time are not shared either.
            with ruled.read_only(reason="stocktaking"):
                await other["Part"].create()
    ruled.close()
    other.close()

    assert alone["deleted"] is True


async def test_what_cannot_be_held_is_said(database_url: str) -> None:
    db = DataFlow(database_url, protection=RULES)
    declare(db)
    comments = [each for each in db.protection.sql() if each.startswith("-- ")]
    await db.aclose()
    said = {each.removeprefix("-- not held by the database: ") for each in comments}

    assert {
        "not-bob: it hangs on who asks",
        "asked: somebody may approve of it, whom dataflow asks",
        "few: it hangs on how many rows a message writes",
        "owners: dataflow masks values as it reads them",
        "by-node: it is about messages to nodes, not about rows of tables",
        "late: it hangs on the time, how often that is",
    } <= said
    assert not [each for each in comments if "noted" in each]


CLOSED = Policy.production(
    allow("create", models="Item", fields=["name", "owner"]),
    allow("update", models="Item", fields="status", when={"old.status": "open"}),
    allow("update", models="Item", fields=["name", "price"]),
    allow("update", models="Part", when={"principal": "ada"}, id="ada"),
    allow("delete", models="Note"),
)


async def test_what_no_rule_allows_is_refused(
    database_url: str, client: Client
) -> None:
    await filled(database_url)
    db = DataFlow(database_url, protection=CLOSED)
    declare(db)
    statements = db.protection.sql()
    await db.aclose()
    await client.run(*statements)
    refused = [
        await client.refusal(text)
        for text in (
            "DELETE FROM items",
            "UPDATE items SET code = 'x' WHERE id = 2",
            "UPDATE items SET status = 'x', name = 'x' WHERE id = 1",
            "UPDATE items SET status = 'x' WHERE id = 2",
            "INSERT INTO items (name, status, price, owner) VALUES ('x', 'x', 0, 'o')",
            "INSERT INTO notes (text, done, version) VALUES ('x', false, 1)",
            "UPDATE notes SET text = 'x'",
            "DELETE FROM parts",
        )
    ]
    passed = [
        await client.refusal(text)
        for text in (
            "UPDATE items SET status = 'closed' WHERE id = 1",
            "UPDATE items SET name = 'x', price = 8",
            "INSERT INTO items (name, status, price, owner) VALUES ('x', 'open', 0, 'o')",
            "UPDATE notes SET deleted_at = '2026-01-01' WHERE id = 1",
            "UPDATE parts SET n = 2",
            "DELETE FROM notes",
        )
    ]

    assert all("default (no rule allows it) refused" in str(each) for each in refused)
    assert passed == [None] * 6
    assert [each for each in statements if "ada: it hangs on who asks" in each]


@pytest.mark.parametrize("is_here", [True, False])
async def test_what_only_our_connections_know_is_left_to_them(
    sqlite_url: str, *, is_here: bool
) -> None:
    conditions: Sequence[dict[str, Any]] = (
        {"new.name": {"$regex": "^x"}},
        {"new.extra.kind": "x"},
        {"new.weight": {"$gt": Decimal("1.5")}},
    )
    rules = [
        deny("update", models="Item", when=when, id=f"r{n}", connections=name)
        for name in (["*"] if is_here else ["elsewhere"])
        for n, when in enumerate(conditions)
    ]
    db = DataFlow(sqlite_url, protection=rules)
    declare(db)
    statements = db.protection.sql()
    await db.aclose()
    why = "update of Item: only connections of dataflow know what its condition calls"
    said = [each for each in statements if each.endswith(why)]

    assert len(said) == (3 if is_here else 0)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
async def test_a_role_is_held_back_and_nobody_else(
    database_url: str, client: Client
) -> None:
    await filled(database_url)
    db = DataFlow(database_url, protection=RULES)
    declare(db)
    role = '"it\'s ""held"""'
    statements = db.protection.sql('it\'s "held"')
    await db.aclose()
    try:
        await client.run(f"CREATE ROLE {role}", *statements, *statements)
        refused: list[str] = []
        for text in FORBIDDEN:
            try:
                await client.run(text, role=role)
            except DriverError as error:
                refused.append(str(error.code))
        with pytest.raises(DriverError, match="permission denied"):
            await client.run("TRUNCATE parts", role=role)
        for text in ALLOWED[:2]:
            await client.run(text, role=role)
        # Who looks after the database is no member of the role, or is a superuser.
        for text in FORBIDDEN:
            assert await client.refusal(text) is None
    finally:
        await client.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert refused == ["42501"] * len(FORBIDDEN)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
async def test_emptying_a_table_is_a_delete(database_url: str, client: Client) -> None:
    await filled(database_url)
    db = DataFlow(database_url, protection=RULES)
    declare(db)
    await client.run(*db.protection.sql())
    await db.aclose()

    assert "parts stay" in str(await client.refusal("TRUNCATE parts"))
    assert "keep" in str(await client.refusal("TRUNCATE items"))


async def test_rights_that_nobody_has_are_not_given(postgres_url: str) -> None:
    db = DataFlow(
        postgres_url,
        protection=[
            deny(models="Part", id="nothing"),
            deny(["read", "update"], models="Note", id="blind"),
            deny("update", models="Item", fields="name"),
        ],
    )
    declare(db)
    statements = db.protection.sql("app")
    await db.aclose()
    given = [each for each in statements if each.startswith("GRANT")]

    assert not [each for each in given if '"parts"' in each]
    assert [each for each in given if '"notes"' in each] == [
        'GRANT SELECT ON TABLE "notes" TO "app"',
        'GRANT INSERT ON TABLE "notes" TO "app"',
        'GRANT UPDATE ("deleted_at", "version") ON TABLE "notes" TO "app"',
        'GRANT DELETE ON TABLE "notes" TO "app"',
    ]
    (update,) = [each for each in given if "UPDATE" in each and '"items"' in each]
    assert '"price"' in update
    assert '"name"' not in update
    assert (
        "-- not held by the database: blind: who may write to Note needs the right to "
        "read"
    ) in statements


async def test_sqlite_knows_no_roles(sqlite_url: str) -> None:
    db = DataFlow(sqlite_url)
    with pytest.raises(PolicyError, match="SQLite knows no roles"):
        db.protection.sql("app")
    await db.aclose()
