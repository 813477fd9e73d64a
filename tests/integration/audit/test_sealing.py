"""Personal values are recorded sealed, and a deleted key closes them for good."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import anyio
import pytest

from dataflow import PII, DataFlow, field
from dataflow.audit import Hidden, KeyRing
from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import AuditBrokenError, MissingExtraError, SubjectKeyError
from dataflow.protection import allow
from dataflow.sql import Statement

CANARY = "CANARY"
OLD = "the first key of them all"
NEW = "a key that came much later"


def declare(db: DataFlow) -> None:
    """Declare persons with what is theirs, two steps away, and what is nobody's."""

    @db.model
    class Person:
        mail: Annotated[str, PII("email")] = field(unique=True)
        born: Annotated[date | None, PII("birthday")] = None
        income: Annotated[Decimal, PII("income")] = field(
            default=Decimal(0), digits=(12, 2)
        )
        rate: Annotated[float | None, PII("rate")] = None
        code: Annotated[UUID | None, PII("code")] = None
        raw: Annotated[bytes | None, PII("raw")] = None
        tags: Annotated[list[str] | None, PII("tags")] = None
        more: Annotated[dict[str, Any] | None, PII("more")] = None
        span: Annotated[timedelta | None, PII("span")] = None
        seen: Annotated[datetime | None, PII("seen")] = None
        visits: int = 0

        __dataflow__ = {"subject": True, "audit": "changes"}  # noqa: RUF012

    @db.model
    class Order:
        person_id: int | None = field(
            default=None, references=Person, on_delete="cascade"
        )
        address: Annotated[str, PII("address")]
        state: str = "new"

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012

    @db.model
    class Line:
        order_id: int = field(references=Order, on_delete="cascade")
        note: Annotated[str, PII("note")]

        __dataflow__ = {"audit": "full"}  # noqa: RUF012


def opened(url: str, **options: Any) -> DataFlow:
    db = DataFlow(url, protection=[allow("unmask")], pool_size=4, **options)
    declare(db)
    return db


async def ask(url: str, bridge: Bridge, text: str) -> list[Any]:
    """Do what somebody does who is at the database, and not at the nodes."""
    driver = connect(parse_url(url), bridge, pool_size=1)
    try:
        async with driver.acquire() as connection:
            is_read = text.startswith("SELECT")
            statement = Statement(text, returns_rows=is_read)
            (result,) = await connection.run((statement,))
    finally:
        await driver.aclose()
    return list(result.rows)


async def first(db: DataFlow, model: str, key: object) -> dict[str, Any]:
    """Return what the first record of a row says."""
    made = (await db[model].history(key))[0].new
    assert made is not None
    return made


async def recorded(url: str, bridge: Bridge) -> str:
    """Return all that the records say."""
    rows = await ask(url, bridge, "SELECT old, new, model FROM dataflow_audit")
    return repr([tuple(row) for row in rows])


async def test_nothing_personal_is_recorded_in_clear_and_all_of_it_comes_back(
    database_url: str, bridge: Bridge
) -> None:
    db = opened(database_url, privacy_keys=OLD)
    given = {
        "mail": f"{CANARY}é\x1f\n'\"\\@example.org",
        "born": date(1990, 2, 28),
        "income": Decimal("9999999999.90"),
        "rate": 0.1 + 0.2,
        "code": UUID(int=7),
        "raw": b"\x00\xff",
        "tags": [CANARY, "y"],
        "more": {CANARY: [1, 2.5, None]},
        "span": timedelta(days=-3, microseconds=7),
        "seen": datetime(2026, 2, 28, 1, 2, 3, 456789, UTC),
    }
    async with db:
        person = await db["Person"].create(**given)
        await db["Person"].update(person["id"], mail=f"{CANARY}2", visits=1)
        await db["Person"].update(person["id"], visits=2)
        await db["Person"].delete(person["id"])
        made, changed, visited, deleted = await db["Person"].history(person["id"])
        texts = await recorded(database_url, bridge)
        found = await db.audit.verify()
    await db.aclose()

    assert CANARY not in texts
    assert "9999999999" not in texts
    assert made.new == person
    assert made.new is not None
    assert list(made.new) == list(person)
    assert changed.old == {"mail": given["mail"], "visits": 0}
    assert changed.new == {"mail": f"{CANARY}2", "visits": 1}
    assert (visited.old, visited.new) == ({"visits": 1}, {"visits": 2})
    assert deleted.old == {**person, "mail": f"{CANARY}2", "visits": 2}
    assert found.n_events == 4


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
async def test_to_erase_a_person_closes_what_is_recorded_of_it(
    database_url: str, bridge: Bridge, mode: str
) -> None:
    db = opened(database_url, audit_key=OLD)
    async with db:
        ann = await db["Person"].create(mail="ann")
        bob = await db["Person"].create(mail="bob")
        order = await db["Order"].create(person_id=ann["id"], address="here")
        gone = await db["Order"].create(person_id=ann["id"], address="there")
        line = await db["Line"].create(order_id=order["id"], note="ring twice")
        await db["Order"].update(order["id"], address="where", state="sent")
        await db["Order"].delete(gone["id"])
        plan = await db.privacy.erase_subject(ann["id"], mode=mode)
        before = await db["Order"].history(gone["id"])
        done = await db.privacy.erase_subject(ann["id"], mode=mode, dry_run=False)
        histories = {
            name: await db[name].history(row["id"])
            for name, row in (("Person", ann), ("Order", order), ("Line", line))
        }
        deleted = await db["Order"].history(gone["id"])
        other = await db["Person"].history(bob["id"])
        then = await db["Order"].as_of(datetime.now(UTC), gone["id"])
        found = await db.audit.verify()
    await db.aclose()

    assert before[0].new is not None
    assert before[0].new["address"] == "there"
    assert done.recorded == plan.recorded == ("Person", "Order", "Line")
    for name, personal in (("Person", "mail"), ("Order", "address"), ("Line", "note")):
        told = [
            side[personal]
            for version in histories[name]
            for side in (version.old, version.new)
            if side is not None
        ]
        assert len(told) >= 2, name
        assert {*told} == {Hidden.ERASED}, name
    assert histories["Order"][1].new == {"address": Hidden.ERASED, "state": "sent"}
    assert [each.new and each.new["address"] for each in deleted] == [
        Hidden.ERASED,
        None,
    ]
    assert other[0].new is not None
    assert other[0].new["mail"] == "bob"
    assert then is None
    assert found.n_outside == 0


async def test_many_rows_of_many_persons_are_sealed(
    database_url: str, bridge: Bridge
) -> None:
    db = opened(database_url, privacy_keys=OLD)
    n_rows = 1203
    async with db:
        await db["Person"].bulk_create(
            [{"mail": f"{CANARY}{n}"} for n in range(n_rows)]
        )
        people = (await db["Person"].list(limit=None))["records"]
        await db["Order"].bulk_create(
            [{"person_id": each["id"], "address": each["mail"]} for each in people]
        )
        orders = (await db["Order"].list(limit=None))["records"]
        await db["Line"].bulk_create(
            [{"order_id": each["id"], "note": each["address"]} for each in orders]
        )
        await db["Person"].bulk_update(
            data=[
                {"id": each["id"], "mail": f"{each['mail']}b"} for each in people[::2]
            ]
        )
        texts = await recorded(database_url, bridge)
        last, line = people[-1], orders[-1]["id"]
        changes = await db["Person"].history(last["id"])
        (made,) = await db["Line"].history(line)
        n_keys = await ask(
            database_url, bridge, "SELECT count(*) FROM dataflow_subject_keys"
        )
        await db.privacy.erase_subject(last["id"], dry_run=False)
        *_, gone = await db["Line"].history(line)
        found = await db.audit.verify()
    await db.aclose()

    assert CANARY not in texts
    assert n_keys[0][0] == n_rows
    assert [each.new for each in changes][1:] == [{"mail": f"{last['mail']}b"}]
    assert made.new is not None
    assert made.new["note"] == last["mail"]
    assert gone.old is not None
    assert gone.old["note"] is Hidden.ERASED
    assert found.n_events == 3 * n_rows + len(people[::2]) + 3


async def test_without_a_key_nothing_personal_is_recorded(
    database_url: str, bridge: Bridge
) -> None:
    db = opened(database_url)
    async with db:
        person = await db["Person"].create(mail=CANARY)
        await db["Person"].update(person["id"], mail=f"{CANARY}2", visits=1)
        await db["Person"].bulk_create([{"mail": f"{CANARY}{n}"} for n in (3, 4)])
        history = await db["Person"].history(person["id"])
        texts = await recorded(database_url, bridge)
        await db.audit.verify()
        with pytest.raises(Exception, match="there are none: give DataFlow"):
            await db.privacy.rotate_keys()
    await db.aclose()

    assert CANARY not in texts
    assert history[0].new is not None
    assert history[0].new["mail"] is Hidden.WITHHELD
    assert history[1].new == {"mail": Hidden.WITHHELD, "visits": 1}


async def test_writes_from_outside_are_recorded_without_what_is_personal(
    database_url: str, bridge: Bridge
) -> None:
    db = opened(database_url, privacy_keys=OLD)
    async with db:
        person = await db["Person"].create(mail="ann")
        for text in (
            f"UPDATE persons SET mail = '{CANARY}', visits = 5",
            f"UPDATE persons SET mail = '{CANARY}2'",
            f"INSERT INTO orders (person_id, address, state) VALUES (1, '{CANARY}', 'x')",
            "DELETE FROM orders",
        ):
            await ask(database_url, bridge, text)
        waiting = await db["Person"].history(person["id"])
        await db["Person"].update(person["id"], visits=6)
        history = await db["Person"].history(person["id"])
        orders = await db["Order"].history(1)
        texts = await recorded(database_url, bridge)
        found = await db.audit.verify()
    await db.aclose()

    assert CANARY not in texts
    assert waiting == history[:-1]
    assert history[1].new == {"mail": Hidden.WITHHELD, "visits": 5}
    assert (history[2].old, history[2].new) == (
        {"mail": Hidden.WITHHELD},
        {"mail": Hidden.WITHHELD},
    )
    assert [each.action for each in orders] == ["insert", "delete"]
    assert orders[1].old is not None
    assert orders[1].old["address"] is Hidden.WITHHELD
    assert orders[1].old["state"] == "x"
    assert found.n_outside == 4


async def test_keys_are_wrapped_anew_and_old_ones_are_needed_no_longer(
    database_url: str, bridge: Bridge
) -> None:
    async def history(db: DataFlow) -> list[Any]:
        async with db:
            versions = await db["Person"].history(1)
        await db.aclose()
        return [each.new["mail"] for each in versions if each.new]

    db = opened(database_url, privacy_keys=OLD)
    async with db:
        await db["Person"].create(mail="ann")
        await db["Person"].bulk_create([{"mail": str(n)} for n in range(1100)])
    await db.aclose()
    stranger = opened(database_url, privacy_keys=NEW)
    async with stranger:
        with pytest.raises(SubjectKeyError, match="not among the keys"):
            await stranger["Person"].update(1, mail="changed")
        with pytest.raises(SubjectKeyError):
            await stranger.privacy.rotate_keys()
        assert (await stranger["Person"].read(1))["mail"] == "ann"
    await stranger.aclose()

    assert await history(opened(database_url, privacy_keys=NEW)) == [Hidden.LOCKED]
    assert await history(opened(database_url)) == [Hidden.LOCKED]
    both = opened(database_url, privacy_keys=[NEW, OLD])
    async with both:
        assert await both.privacy.rotate_keys() == 1101
        assert await both.privacy.rotate_keys() == 0
        await both["Person"].update(1, mail="changed")
    await both.aclose()
    assert await history(opened(database_url, privacy_keys=OLD)) == [Hidden.LOCKED] * 2
    ring = KeyRing([NEW.encode()])
    assert await history(opened(database_url, privacy_keys=ring)) == ["ann", "changed"]


async def test_there_is_nothing_to_wrap_where_nothing_is_sealed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAFLOW_PRIVACY_KEYS", f"{NEW}, {OLD}")
    db = opened(database_url)
    async with db:
        assert await db.privacy.rotate_keys() == 0
        person = await db["Person"].create(mail="ann")
        (made,) = await db["Person"].history(person["id"])
    await db.aclose()

    assert made.new == person
    with pytest.raises(ValueError, match="privacy_keys has 3 bytes"):
        DataFlow(database_url, privacy_keys=["abc"])


async def test_what_goes_with_its_parents_is_still_known_to_be_theirs(
    database_url: str,
) -> None:
    db = opened(database_url, privacy_keys=OLD)
    async with db:
        person = await db["Person"].create(mail="ann")
        order = await db["Order"].create(person_id=person["id"], address="here")
        line = await db["Line"].create(order_id=order["id"], note="ring twice")
        await db["Person"].delete(person["id"])
        *_, gone = await db["Line"].history(line["id"])
    await db.aclose()

    assert gone.action == "delete"
    assert gone.old is not None
    assert gone.old["note"] == "ring twice"


async def test_nothing_is_kept_of_which_nobody_knows_whose_it_is(
    database_url: str,
) -> None:
    db = DataFlow(database_url, privacy_keys=OLD, protection=[allow("unmask")])

    @db.model
    class Person:
        name: str

        __dataflow__ = {"subject": True}  # noqa: RUF012

    @db.model
    class Order:
        person_id: int = field(references=Person, on_delete="cascade")

    @db.model
    class Line:
        order_id: int = field(references=Order, on_delete="cascade")
        note: Annotated[str, PII("note")]

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012

    async with db:
        person = await db["Person"].create(name="ann")
        order = await db["Order"].create(person_id=person["id"])
        line = await db["Line"].create(order_id=order["id"], note="ring twice")
        other = await db["Line"].create(order_id=order["id"], note="ring once")
        await db["Line"].delete(other["id"])
        # An order is not audited: when it goes with its lines, it has left no trace.
        await db["Order"].delete(order["id"])
        made, gone = await db["Line"].history(line["id"])
        _, known = await db["Line"].history(other["id"])
    await db.aclose()

    assert made.new is not None
    assert made.new["note"] == "ring twice"
    assert gone.old is not None
    assert gone.old["note"] is Hidden.WITHHELD
    assert known.old is not None
    assert known.old["note"] == "ring once"


async def test_what_belongs_to_two_needs_the_keys_of_both(database_url: str) -> None:
    db = DataFlow(database_url, privacy_keys=OLD, protection=[allow("unmask")])

    @db.model
    class Person:
        code: str = field(primary_key=True)

        __dataflow__ = {"subject": True}  # noqa: RUF012

    @db.model
    class Letter:
        sender_code: str | None = field(default=None, references=Person)
        reader_code: str | None = field(default=None, references=Person, backref="read")
        text: Annotated[str, PII("text")]

        __dataflow__ = {  # noqa: RUF012
            "subject": ["sender_code", "reader"],
            "audit": "changes",
            "erasure": "anonymise",
        }

    async with db:
        await db["Person"].bulk_create([{"code": each} for each in ("a", "b", "c")])
        both = await db["Letter"].create(sender_code="a", reader_code="b", text="to b")
        one = await db["Letter"].create(sender_code="a", text="to nobody")
        none = await db["Letter"].create(text="found")
        await db.privacy.erase_subject("b", mode="anonymise", dry_run=False)
        told = [await first(db, "Letter", each["id"]) for each in (both, one, none)]
        await db["Letter"].update(none["id"], sender_code="c")
        await db.privacy.erase_subject("c", mode="anonymise", dry_run=False)
        last = await first(db, "Letter", none["id"])
    await db.aclose()

    assert [each["text"] for each in told] == [Hidden.ERASED, "to nobody", "found"]
    # It was nobody's then, and had a key of its own; that went with the row.
    assert last["text"] is Hidden.ERASED


async def test_a_person_that_comes_back_has_another_key(database_url: str) -> None:
    db = opened(database_url, privacy_keys=OLD)
    async with db:
        person = await db["Person"].create(mail="ann")
        await db.privacy.erase_subject(person["id"], mode="anonymise", dry_run=False)
        await db["Person"].update(person["id"], mail="new")
        made, *_, last = await db["Person"].history(person["id"])
    await db.aclose()

    assert made.new is not None
    assert made.new["mail"] is Hidden.ERASED
    assert last.new == {"mail": "new"}


async def test_the_same_key_in_two_tenants_is_two_persons(database_url: str) -> None:
    db = DataFlow(database_url, privacy_keys=OLD, protection=[allow("unmask")])

    @db.model
    class Member:
        code: str = field(primary_key=True)
        name: Annotated[str, PII("name")]

        __dataflow__ = {  # noqa: RUF012
            "subject": True,
            "multi_tenant": True,
            "audit": "changes",
        }

    @db.model
    class Note:
        member_code: str = field(references=Member)
        text: Annotated[str, PII("text")]

        __dataflow__ = {"multi_tenant": True, "audit": "changes"}  # noqa: RUF012

    told: dict[str, list[Any]] = {}
    async with db:
        for tenant in ("t1", "t2"):
            with db.tenant(tenant):
                await db["Member"].create(code="a", name=tenant)
                await db["Note"].create(member_code="a", text=tenant)
        with db.tenant("t1"):
            await db.privacy.erase_subject("a", dry_run=False)
        for n, tenant in enumerate(("t1", "t2"), 1):
            with db.tenant(tenant):
                member = await first(db, "Member", "a")
                note = await first(db, "Note", n)
                told[tenant] = [member["name"], note["text"]]
    await db.aclose()

    assert told == {"t1": [Hidden.ERASED] * 2, "t2": ["t2", "t2"]}


@pytest.mark.parametrize("action", ["delete", "anonymise"])
async def test_what_is_kept_no_longer_is_closed(database_url: str, action: str) -> None:
    db = DataFlow(database_url, privacy_keys=OLD, protection=[allow("unmask")])

    @db.model
    class Visitor:
        name: Annotated[str, PII("name")]
        seen: datetime

        __dataflow__ = {  # noqa: RUF012
            "subject": True,
            "audit": "changes",
            "retention": {"field": "seen", "after_days": 30, "action": action},
        }

    now = datetime(2026, 6, 1, tzinfo=UTC)
    async with db:
        old = await db["Visitor"].create(name="ann", seen=now - timedelta(days=40))
        new = await db["Visitor"].create(name="bob", seen=now)
        await db.privacy.apply_retention(now=now)
        planned, *_ = await db["Visitor"].history(old["id"])
        await db.privacy.apply_retention(now=now, dry_run=False)
        closed, *_ = await db["Visitor"].history(old["id"])
        kept, *_ = await db["Visitor"].history(new["id"])
        await db.audit.verify()
    await db.aclose()

    assert [each.new["name"] for each in (planned, closed, kept) if each.new] == [
        "ann",
        Hidden.ERASED,
        "bob",
    ]


async def test_many_at_once_seal_for_one_person(database_url: str) -> None:
    db = opened(database_url, privacy_keys=OLD)
    async with db:
        people = [await db["Person"].create(mail=each) for each in ("a", "b")]
        await db["Person"].bulk_delete(ids=[each["id"] for each in people])
        ids = [each["id"] for each in people]

        async def write(n: int, ids: list[int]) -> None:
            data = [{"id": each, "mail": f"{n}-{each}"} for each in ids]
            await db["Person"].bulk_upsert(data, conflict_on=["id"])

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for n in range(6):
                    tasks.start_soon(write, n, ids)
        history = await db["Person"].history(ids[0])
        found = await db.audit.verify()
    await db.aclose()

    assert {each.new["mail"] for each in history if each.new} == {
        "a",
        *(f"{n}-{ids[0]}" for n in range(6)),
    }
    assert found.n_outside == 0


async def test_what_is_sealed_cannot_be_changed_or_moved(
    database_url: str, bridge: Bridge
) -> None:
    db = opened(database_url, privacy_keys=OLD)

    async def read(text: str) -> None:
        await ask(database_url, bridge, text)
        await db["Person"].history(1)

    async with db:
        await db["Person"].create(mail="a")
        await db["Person"].create(mail="b")
        keep = "SELECT id, new FROM dataflow_audit ORDER BY id"
        (_, first), (_, other) = await ask(database_url, bridge, keep)
        token = first.partition('"~":["')[2].partition('"')[0]
        *head, sealed = token.split(".")
        for wrong in (
            first.replace(sealed, ("A" if sealed[0] != "A" else "B") + sealed[1:]),
            first.replace('"1.', '"9.'),
            first.replace(token, "nothing"),
            first.replace(f"{head[1]}.", "2.", 1),
            first.replace(
                token, other.partition('"~":["')[2].partition('"')[0]
            ).replace("1.2.", "1.1."),
        ):
            assert wrong != first
            with pytest.raises(AuditBrokenError, match="were changed"):
                await read(f"UPDATE dataflow_audit SET new = '{wrong}' WHERE id = 1")
            with pytest.raises(AuditBrokenError, match="other events"):
                await db.audit.verify()
        await read(f"UPDATE dataflow_audit SET new = '{first}' WHERE id = 1")
        await db.audit.verify()
        with pytest.raises(SubjectKeyError, match="was changed"):
            await read(
                "UPDATE dataflow_subject_keys SET wrapped = (SELECT wrapped FROM "
                "dataflow_subject_keys WHERE id = 2) WHERE id = 1"
            )
        with pytest.raises(SubjectKeyError, match="was changed"):
            await read("UPDATE dataflow_subject_keys SET wrapped = '?'")
        await db.audit.verify()
    await db.aclose()


async def test_a_failed_erasure_closes_nothing(database_url: str) -> None:
    db = DataFlow(database_url, privacy_keys=OLD, protection=[allow("unmask")])

    @db.model
    class Person:
        name: Annotated[str, PII("name")]

        __dataflow__ = {"subject": True, "audit": "changes"}  # noqa: RUF012

    @db.model
    class Bill:
        person_id: int = field(references=Person)

        __dataflow__ = {"subject": False}  # noqa: RUF012

    async with db:
        person = await db["Person"].create(name="ann")
        await db["Bill"].create(person_id=person["id"])
        with pytest.raises(Exception, match="refer to rows of Person"):
            await db.privacy.erase_subject(person["id"], dry_run=False)
        (made,) = await db["Person"].history(person["id"])
    await db.aclose()

    assert made.new == person


def test_a_library_that_is_missing_is_named_when_the_model_is_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"'dataflow-actors\[crypto\]'"):
        opened("sqlite:///:memory:", privacy_keys=OLD)
    declare(DataFlow("sqlite:///:memory:"))  # without a key nothing is sealed
