"""What changes is recorded in the transaction that does it, and shows any tampering."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest

from dataflow import DataFlow, field
from dataflow.audit import Facts, Verification
from dataflow.audit.proving import Leaf
from dataflow.drivers import Bridge, connect
from dataflow.errors import (
    AuditBrokenError,
    AuditError,
    DuplicateKeyError,
    FieldValueError,
)
from dataflow.protection import Approval, deny, require_approval
from dataflow.sql import Statement

KEY = b"0123456789abcdef"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    db = DataFlow(database_url, pool_size=4, audit_key=KEY)
    _declare(db)
    async with db:
        yield db
    await db.aclose()


def _declare(db: DataFlow) -> None:
    @db.model
    class Account:
        owner: str = field(unique=True)
        balance: Decimal = field(default=Decimal(0), digits=(12, 2))
        opened: date | None = None
        seen: datetime | None = None
        span: timedelta | None = None
        rate: float | None = None
        token: UUID | None = None
        raw: bytes | None = None
        tags: list[str] | None = None
        extra: dict[str, Any] | None = None
        is_open: bool = True

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012  as users write it

    @db.model
    class Ledger:
        code: str = field(primary_key=True)
        n: int = 0

        __dataflow__ = {"audit": "full", "multi_tenant": True}  # noqa: RUF012

    @db.model
    class Visit:
        page: str

        __dataflow__ = {"audit": "summary"}  # noqa: RUF012  as users write it

    @db.model
    class Plain:
        name: str


async def test_who_why_and_what_is_recorded(db: DataFlow) -> None:
    with db.acting("ann", reason="opening"):
        account = await db["Account"].create(owner="a", balance=Decimal("1.50"))
    await db["Account"].update(account["id"], balance=Decimal(2), owner="b")
    await db["Account"].delete(account["id"])
    made, changed, deleted = await db["Account"].history(account["id"])

    assert (made.action, made.old) == ("insert", None)
    assert made.new == account
    assert made.facts is not None
    assert (made.facts.principal, made.facts.reason) == ("ann", "opening")
    assert made.facts.node == "AccountCreateNode"
    assert changed.old == {"balance": Decimal("1.50"), "owner": "a"}
    assert changed.new == {"balance": Decimal("2.00"), "owner": "b"}
    assert deleted.action == "delete"
    assert deleted.old is not None
    assert deleted.old["owner"] == "b"
    assert deleted.new is None


async def test_values_come_back_as_they_were(db: DataFlow) -> None:
    account = await db["Account"].create(
        owner="é\x1f\n'\"",
        balance=Decimal("9999999999.99"),
        opened=date(2026, 2, 28),
        seen=datetime(2026, 2, 28, 1, 2, 3, 456789, UTC),
        span=timedelta(days=-3, seconds=5, microseconds=7),
        rate=0.1 + 0.2,
        token=UUID(int=7),
        raw=b"\x00\xff",
        tags=["x", "y"],
        extra={"a": [1, 2.5, None]},
        is_open=False,
    )
    (version,) = await db["Account"].history(account["id"])

    assert version.new == account


async def test_a_row_is_read_as_of_a_time(db: DataFlow) -> None:
    before = datetime.now(UTC)
    account = await db["Account"].create(owner="a")
    await db["Account"].update(account["id"], owner="b")
    await db["Account"].delete(account["id"])
    made, changed, _ = await db["Account"].history(account["id"])
    assert made.at is not None
    assert changed.at is not None

    assert await db["Account"].as_of(before, account["id"]) is None
    assert await db["Account"].as_of(made.at, account["id"]) == account
    then = await db["Account"].as_of(changed.at, account["id"])
    assert then == {**account, "owner": "b"}
    assert await db["Account"].as_of(datetime.now(UTC), account["id"]) is None
    with pytest.raises(FieldValueError, match="timezone"):
        await db["Account"].as_of(datetime(2026, 1, 1), account["id"])  # noqa: DTZ001
    with pytest.raises(FieldValueError, match="a datetime"):
        await db["Account"].history(account["id"], until="now")
    with pytest.raises(FieldValueError, match="the key of one row"):
        await db["Account"].history(filter={"owner": "a"})


@pytest.mark.parametrize("n_rows", [3, 300])
async def test_bulk_nodes_are_recorded_row_by_row(db: DataFlow, n_rows: int) -> None:
    with db.tenant("t1"):
        data = [{"code": str(n), "n": n} for n in range(n_rows)]
        await db["Ledger"].bulk_create(data)
        await db["Ledger"].bulk_upsert([*data[1:], {"code": "new"}])
        await db["Ledger"].bulk_update(data=[{"code": "1", "n": 99}])
        await db["Ledger"].bulk_update(filter={"code": "1"}, update={"n": {"$inc": 1}})
        await db["Ledger"].bulk_delete(ids=["0", "1"])
        history = await db["Ledger"].history("1")
    with db.tenant("t2"):
        assert await db["Ledger"].history("1") == []
    found = await db.audit.verify()

    assert [each.action for each in history] == ["insert", "update", "update", "delete"]
    assert history[-1].old == {"code": "1", "n": 100, "tenant_id": "t1"}
    assert history[0].facts is not None
    assert history[0].facts.tenant == "t1"
    assert found.heads == {"Ledger": 5}
    assert found.n_events == n_rows + 1 + 1 + 1 + 2
    assert found.n_outside == 0


async def test_a_summary_says_how_many(db: DataFlow, bridge: Bridge) -> None:
    data = [{"page": str(n)} for n in range(70)]
    await db["Visit"].bulk_create(data, return_ids=True)
    await db["Visit"].create(page="x")
    await db["Visit"].bulk_update(filter={"page": "x"}, update={"page": "y"})
    await db["Visit"].bulk_delete(filter={"page": "nothing"})

    assert (await db.audit.verify()).heads == {"Visit": 3}
    rows = await _ask(db, bridge, "SELECT n FROM dataflow_audit ORDER BY id")
    assert [row[0] for row in rows] == [70, 1, 1]
    with pytest.raises(AuditError, match="Visit"):
        await db["Visit"].history(1)
    with pytest.raises(AuditError, match="Plain"):
        await db["Plain"].as_of(datetime.now(UTC), 1)


@pytest.mark.parametrize("model", ["Account", "Visit"])
async def test_what_is_not_stored_is_not_recorded(db: DataFlow, model: str) -> None:
    name = "owner" if model == "Account" else "id"
    value: Any = "a" if model == "Account" else 1
    more = {} if model == "Account" else {"page": "p"}
    await db[model].create(**{name: value}, **more)
    with pytest.raises(DuplicateKeyError):
        await db[model].create(**{name: value}, **more)
    data = [{name: each, **more} for each in ([value, "b"] if more == {} else [1, 2])]
    counts = await db[model].bulk_create(data, error_strategy="continue")
    assert (counts["inserted"], counts["failed"]) == (1, 1)
    await db[model].create(**{name: "c" if more == {} else 3}, **more)

    found = await db.audit.verify()
    assert found.heads == {model: 3}


async def test_messages_of_a_turn_are_recorded_for_who_sent_them(db: DataFlow) -> None:
    async def create(n: int) -> None:
        with db.acting(f"user {n % 3}"):
            await db["Account"].create(owner=str(n))

    async with anyio.create_task_group() as tasks:
        for n in range(60):
            tasks.start_soon(create, n)

    for row in (await db["Account"].list(limit=None))["records"]:
        (version,) = await db["Account"].history(row["id"])
        assert version.facts is not None
        assert version.facts.principal == f"user {int(row['owner']) % 3}"
    assert (await db.audit.verify()).n_events == 60


async def test_writes_from_outside_are_recorded_too(
    db: DataFlow, bridge: Bridge
) -> None:
    account = await db["Account"].create(owner="a")
    await _ask(db, bridge, "UPDATE accounts SET owner = 'stolen'", write=True)
    _, changed = await db["Account"].history(account["id"])

    assert (changed.facts, changed.at) == (None, None)
    assert changed.new == {"owner": "stolen"}
    assert (await db.audit.verify()).n_outside == 1


E_ = "dataflow_audit"
TAMPERINGS: dict[str, tuple[str, str]] = {
    "flip a value": (
        f"UPDATE {E_} SET new = replace(new, 'b', 'x') WHERE id = 2",
        "other events",
    ),
    "drop an event": (f"DELETE FROM {E_} WHERE id = 2", "other events"),
    "put in an event": (
        f"INSERT INTO {E_} (leaf, model, op) SELECT leaf, model, op FROM {E_} WHERE id=2",
        "other events",
    ),
    "put in an event of nothing": (
        f"INSERT INTO {E_} (leaf, model, op) VALUES ('none', 'Account', 'insert')",
        "not there",
    ),
    "reorder events": (
        f"UPDATE {E_} SET leaf = (SELECT leaf FROM {E_} WHERE id = 2) WHERE id = 1",
        "other events",
    ),
    "flip who": (
        f"UPDATE {E_}_leaves SET facts = replace(facts, 'ann', 'bob') WHERE seq = 2",
        "was changed",
    ),
    "drop a leaf": (f"DELETE FROM {E_}_leaves WHERE seq = 2", "is not there"),
    "drop the first": (f"DELETE FROM {E_}_leaves WHERE seq = 1", "is not there"),
    "cut off the last": (f"DELETE FROM {E_}_leaves WHERE seq = 3", "was cut off"),
    "drop the head": (f"DELETE FROM {E_}_heads", "lost the head"),
    "flip the chain": (
        f"UPDATE {E_}_leaves SET previous = hash WHERE seq = 2",
        "does not follow",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_found(db: DataFlow, bridge: Bridge, name: str) -> None:
    text, problem = TAMPERINGS[name]
    with db.acting("ann"):
        for owner in ("a", "b", "c"):
            await db["Account"].create(owner=owner)
    await _ask(db, bridge, text, write=True)

    with pytest.raises(AuditBrokenError, match=problem) as caught:
        await db.audit.verify()
    assert "the audit is broken" in str(caught.value)


async def test_a_checkpoint_finds_what_was_cut_off_altogether(
    db: DataFlow, bridge: Bridge, database_url: str
) -> None:
    for owner in ("a", "b"):
        await db["Account"].create(owner=owner)
    known = await db.audit.checkpoint()
    assert (await db.audit.verify(known)).heads == {"Account": 2}
    await db["Account"].create(owner="c")
    assert (await db.audit.verify(known)).heads == {"Account": 3}
    with pytest.raises(AuditBrokenError, match="another key, or changed"):
        await db.audit.verify(known.replace("Account", "Plain"))
    with pytest.raises(AuditBrokenError, match="is none"):
        await db.audit.verify("{")
    keys = (f"{E_}_keys",) if database_url.startswith("sqlite") else ()
    for table in (E_, f"{E_}_leaves", f"{E_}_heads", *keys):
        await _ask(db, bridge, f"DELETE FROM {table}", write=True)
    assert (await db.audit.verify()).heads == {}
    with pytest.raises(AuditBrokenError, match="is gone"):
        await db.audit.verify(known)
    await db["Account"].create(owner="d")
    with pytest.raises(AuditBrokenError, match="cut off"):
        await db.audit.verify(known)
    await db["Account"].create(owner="e")
    with pytest.raises(AuditBrokenError, match="another one than once"):
        await db.audit.verify(known)


async def test_without_the_key_nothing_is_proven(
    db: DataFlow, database_url: str
) -> None:
    await db["Account"].create(owner="a")
    other = DataFlow(database_url, audit_key=b"another key, long")
    with pytest.raises(AuditBrokenError, match="another key"):
        await other.audit.verify()
    await other.aclose()
    with pytest.raises(ValueError, match="at least 16"):
        DataFlow(database_url, audit_key="short")


def _thing(db: DataFlow, options: dict[str, Any]) -> None:
    @db.model
    class Thing:
        name: str

        __dataflow__ = options


async def test_another_level_replaces_the_triggers(database_url: str) -> None:
    n_events: list[int] = []
    for level in ("summary", "full", "changes", "off", "changes"):
        db = DataFlow(database_url)
        _thing(db, {"audit": level})
        async with db:
            await db["Thing"].create(name=level)
            n_events.append((await db.audit.verify()).n_events)
        await db.aclose()

    # A table that is not audited any more keeps its triggers: they know of no node.
    assert n_events == [1, 2, 3, 3, 4]


async def test_without_its_triggers_nothing_is_written(database_url: str) -> None:
    first = DataFlow(database_url)
    _thing(first, {})
    async with first:
        await first["Thing"].create(name="a")
    await first.aclose()
    db = DataFlow(database_url, auto_migrate=False)
    _thing(db, {"audit": "changes"})

    async with db:
        with pytest.raises(AuditError, match="is not there"):
            await db["Thing"].create(name="b")
        with pytest.raises(AuditError):
            await db["Thing"].bulk_create([{"name": "b"}])
    await db.aclose()


async def test_a_cancelled_write_leaves_neither_row_nor_record(db: DataFlow) -> None:
    await db["Account"].create(owner="a")

    def endless() -> Any:
        for n in range(10_000):
            yield {"owner": str(n)}
            if n == 5_000:
                scope.cancel()

    with anyio.CancelScope() as scope:
        await db["Account"].bulk_create(endless(), atomic=True, batch_size=500)

    assert await db["Account"].count() == 1
    assert (await db.audit.verify()).n_events == 1


async def _ask(db: DataFlow, bridge: Bridge, text: str, *, write: bool = False) -> Any:
    """Ask the database past all nodes."""
    url = db._database.url
    driver = connect(url, bridge, pool_size=1)
    try:
        async with driver.acquire() as connection:
            statement = Statement(text, returns_rows=not write)
            (result,) = await connection.run((statement,))
            return result.rows
    finally:
        await driver.aclose()


async def test_one_that_fails_in_a_turn_leaves_no_record(db: DataFlow) -> None:
    await db["Account"].create(owner="taken")
    failed: list[str] = []

    async def create(owner: str) -> None:
        try:
            await db["Account"].create(owner=owner)
        except DuplicateKeyError:
            failed.append(owner)

    async with anyio.create_task_group() as tasks:
        for owner in ("a", "b", "taken", "c"):
            tasks.start_soon(create, owner)

    assert failed == ["taken"]
    assert (await db.audit.verify()).n_events == 4


async def test_rows_that_change_their_key_went_and_came(
    db: DataFlow, bridge: Bridge
) -> None:
    account = await db["Account"].create(owner="a")
    old, new = account["id"], account["id"] + 1
    await _ask(db, bridge, f"UPDATE accounts SET id = {new}", write=True)
    now = datetime.now(UTC)

    assert [each.action for each in await db["Account"].history(old)] == [
        "insert",
        "delete",
    ]
    assert await db["Account"].as_of(now, old) is None
    assert await db["Account"].as_of(now, new) == {**account, "id": new}


async def test_one_record_may_tell_of_all_sorts_of_changes(
    db: DataFlow, bridge: Bridge
) -> None:
    await db["Account"].bulk_create([{"owner": str(n)} for n in range(1200)])
    rows = (await db["Account"].list(limit=None))["records"]
    middle = rows[600]
    texts = (
        f"DELETE FROM accounts WHERE id = {rows[0]['id']}",
        f"UPDATE accounts SET owner = 'x' WHERE id = {middle['id']}",
        f"UPDATE accounts SET owner = 'y' WHERE id = {middle['id']}",
        "INSERT INTO accounts (owner, balance, is_open) VALUES ('new', 0, TRUE)",
    )
    for text in texts:
        await _ask(db, bridge, text, write=True)
    await db["Account"].bulk_upsert(
        [{"owner": "y", "is_open": False}, {"owner": "newer"}], conflict_on=["owner"]
    )
    history = await db["Account"].history(middle["id"])
    found = await db.audit.verify()

    assert [each.new for each in history[1:]] == [
        {"owner": "x"},
        {"owner": "y"},
        {"is_open": False},
    ]
    assert [each.facts is None for each in history] == [False, True, True, False]
    assert (found.n_events, found.n_outside) == (1202, 4)


async def test_what_no_json_holds_is_recorded_from_outside(
    db: DataFlow, bridge: Bridge, database_url: str
) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL stores no blob where text belongs")
    await db["Account"].create(owner="a")
    await _ask(db, bridge, "UPDATE accounts SET owner = x'00ff'", write=True)
    await db["Account"].create(owner="b")
    _, changed = await db["Account"].history(1)

    assert changed.new == {"owner": "00FF"}
    assert (await db.audit.verify()).n_outside == 1


OLD_FORM = (
    (
        "CREATE TABLE dataflow_audit (id integer PRIMARY KEY, leaf text, model text NOT "
        "NULL, op text NOT NULL, key text, old text, new text, n bigint NOT NULL DEFAULT 1)"
    ),
    (
        "CREATE TABLE dataflow_audit_leaves (lane text NOT NULL, seq bigint NOT NULL, leaf "
        "text NOT NULL UNIQUE, at text NOT NULL, facts text NOT NULL, n_events bigint NOT "
        "NULL, events text NOT NULL, previous text NOT NULL, hash text NOT NULL, "
        "PRIMARY KEY (lane, seq))"
    ),
    (
        "CREATE TABLE dataflow_audit_heads (lane text PRIMARY KEY, seq bigint NOT NULL, "
        "hash text NOT NULL)"
    ),
    (
        "INSERT INTO dataflow_audit VALUES (1, 'l', 'Thing', 'insert', '[1]', NULL, "
        '\'{"id":1,"name":"a"}\', 1)'
    ),
)


async def test_what_was_recorded_in_the_form_of_before_is_read(
    database_url: str, bridge: Bridge
) -> None:
    line = "Thing\x1finsert\x1f[1]\x1f\x1f" + '{"id":1,"name":"a"}' + "\x1f1"
    facts = Facts(node="ThingCreateNode", operation="create").text()
    at = "2026-01-01T00:00:00.000000+00:00"
    leaf = Leaf("Thing", 1, "l", at, facts, 1, sha256(line.encode()).hexdigest(), "")
    columns = (*msgspec.structs.astuple(leaf), leaf.hash(None))
    values = ", ".join(
        str(each) if isinstance(each, int) else f"'{each}'" for each in columns
    )
    db = DataFlow(database_url)
    texts = (
        *OLD_FORM,
        f"INSERT INTO dataflow_audit_leaves VALUES ({values})",
        f"INSERT INTO dataflow_audit_heads VALUES ('Thing', 1, '{columns[-1]}')",
    )
    for text in texts:
        await _ask(db, bridge, text, write=True)
    if database_url.startswith("postgresql"):
        identity = (
            "ALTER TABLE dataflow_audit ALTER id ADD GENERATED BY DEFAULT AS IDENTITY "
            "(RESTART WITH 2)"
        )
        await _ask(db, bridge, identity, write=True)
    _thing(db, {"audit": "changes"})
    async with db:
        made = await db["Thing"].create(name="a")
        await db["Thing"].update(made["id"], name="b")
        history = await db["Thing"].history(1)
        found = await db.audit.verify()
        await _ask(
            db,
            bridge,
            "UPDATE dataflow_audit SET new = '{}' WHERE id = 1",
            write=True,
        )
        with pytest.raises(AuditBrokenError, match="leaf 1 of Thing has other events"):
            await db.audit.verify()
    await db.aclose()

    assert [each.new for each in history] == [
        {"id": 1, "name": "a"},
        {"id": 1, "name": "a"},
        {"name": "b"},
    ]
    assert (found.heads, found.n_events) == ({"Thing": 3}, 3)


async def test_what_waits_from_outside_survives_another_level(
    database_url: str, bridge: Bridge
) -> None:
    told: list[Any] = []
    found: Verification | None = None
    for level in ("changes", "full"):
        db = DataFlow(database_url)
        _thing(db, {"audit": level})
        async with db:
            await db["Thing"].create(name=level)
            await _ask(db, bridge, "UPDATE things SET name = 'x'", write=True)
            told = [each.new for each in await db["Thing"].history(1)]
            found = await db.audit.verify()
        await db.aclose()

    assert told == [{"id": 1, "name": "changes"}, {"name": "x"}]
    assert found is not None
    assert (found.n_events, found.n_outside) == (2, 2)


async def test_by_which_rules_it_was_let_through_is_recorded(database_url: str) -> None:
    async def approve(approval: Approval) -> bool:
        return bool(approval.rules)

    rules = [
        deny("update", models=["Thing"], id="kept"),
        require_approval("delete", models=["Thing"], id="asked"),
    ]
    db = DataFlow(database_url, protection=rules, approve=approve)
    _thing(db, {"audit": "changes"})
    async with db:
        made = await db["Thing"].create(name="a")
        async with db.override(rules=["kept"], reason="r", ticket="t", ttl=60):
            await db["Thing"].update(made["id"], name="b")
        await db["Thing"].delete(made["id"])
        history = await db["Thing"].history(made["id"])
        version = db.protection.version
    await db.aclose()

    facts = [each.facts for each in history if each.facts is not None]
    assert [each.policy for each in facts] == [version] * 3
    assert [each.overridden for each in facts] == [(), ("kept",), ()]
    assert [each.approved for each in facts] == [(), (), ("asked",)]
