"""What foreign keys make of a delete is judged as if a message asked for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest
from structlog.testing import capture_logs

from dataflow import DataFlow, field
from dataflow.errors import ApprovalRequiredError, WorkflowError, WriteBlockedError
from dataflow.protection import Approval, Policy, allow, deny, require_approval, warn

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]
Delete = Callable[[DataFlow], Awaitable[Any]]


def declare(db: DataFlow) -> None:
    @db.model
    class Customer:
        name: str

    @db.model
    class Order:
        customer_id: int = field(references="Customer", on_delete="cascade")
        parent_id: int | None = field(
            default=None, references="Order", on_delete="cascade"
        )

    @db.model
    class Line:
        order_id: int = field(references="Order", on_delete="cascade")
        secret: bool = False

    @db.model
    class Visit:
        customer_id: int | None = field(
            default=None, references="Customer", on_delete="set_null"
        )
        page: str = "/"

    @db.model
    class Remark:
        customer_id: int = field(references="Customer")

    @db.model
    class Kept:
        __dataflow__: ClassVar = {"soft_delete": True}

        name: str

    @db.model
    class Note:
        kept_id: int = field(references="Kept", on_delete="cascade")


@pytest.fixture
def opened(database_url: str) -> Open:
    @asynccontextmanager
    async def opened(protection: Any, **more: Any) -> AsyncGenerator[DataFlow]:
        plain = DataFlow(database_url)
        declare(plain)
        async with plain:
            for name in "ab":
                await plain["Customer"].create(name=name)
            await plain["Order"].create(customer_id=1)
            await plain["Line"].create(order_id=1)
            await plain["Visit"].create(customer_id=1)
            await plain["Kept"].create(name="k")
            await plain["Note"].create(kept_id=1)
        plain.close()
        db = DataFlow(database_url, protection=protection, **more)
        declare(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return opened


async def raw(db: DataFlow) -> object:
    builder = db.workflow()
    query = {"query": "DELETE FROM customers WHERE id = 1"}
    builder.add_node("AsyncSQLDatabaseNode", "it", query)
    return await refused(db.run(builder.build()))


async def refused(run: Awaitable[Any]) -> object:
    """Return the result of a run; what its node refused is raised."""
    try:
        return await run
    except WorkflowError as error:
        raise error.__cause__ or error from None


DELETES: dict[str, Delete] = {
    "delete": lambda db: db["Customer"].delete(1),
    "bulk_delete by ids": lambda db: db["Customer"].bulk_delete(ids=[1]),
    "bulk_delete by filter": lambda db: db["Customer"].bulk_delete(
        filter={"name": "a"}
    ),
    "raw SQL": raw,
}

REFUSING = {
    "a model that goes": deny("delete", models="Order", id="r"),
    "a model that goes with one that goes": deny("delete", models="Line", id="r"),
    "a field that becomes NULL": deny(
        "update", models="Visit", fields=["customer_id"], id="r"
    ),
    "some rows, which may be these": deny(
        "delete", models="Line", when={"old.secret": True}, id="r"
    ),
    "more rows than can be counted": deny("delete", models="Order", max_rows=5, id="r"),
}


@pytest.mark.parametrize("rule", REFUSING)
@pytest.mark.parametrize("how", DELETES)
async def test_a_delete_is_refused_with_what_would_go_along(
    how: str, rule: str, opened: Open
) -> None:
    async with opened(Policy((REFUSING[rule],))) as db:
        with pytest.raises(WriteBlockedError) as caught:
            await DELETES[how](db)
        counts = [
            await db[name].count() for name in ("Customer", "Order", "Line", "Visit")
        ]

    is_uncounted = "counted" in rule
    assert (caught.value.rule == "r") is not is_uncounted
    assert caught.value.model != "Customer"
    assert counts == [2, 1, 1, 1]


@pytest.mark.parametrize("how", DELETES)
async def test_a_delete_passes_if_what_goes_along_may_go(
    how: str, opened: Open
) -> None:
    rules = [
        deny("update", models="Visit", fields=["page"]),
        deny("delete", models="Visit"),
        deny(("create", "update"), models=["Order", "Line"]),
        warn("delete", models="Line", id="noted"),
    ]
    async with opened(Policy(tuple(rules))) as db:
        with capture_logs() as events:
            await DELETES[how](db)
        counts = [
            await db[name].count() for name in ("Customer", "Order", "Line", "Visit")
        ]

    assert counts == [1, 0, 0, 1]
    assert [e["rule"] for e in events if e["event"] == "write_warned"] == ["noted"]


async def test_what_goes_along_may_need_approval(opened: Open) -> None:
    asked: list[str] = []

    async def approve(approval: Approval) -> bool:
        asked.extend(approval.rules)
        return len(asked) > 1

    rule = require_approval("delete", models="Line", id="two eyes")
    async with opened(Policy((rule,)), approve=approve) as db:
        with pytest.raises(ApprovalRequiredError):
            await db["Customer"].delete(1)
        await db["Customer"].delete(1)

        assert await db["Line"].count() == 0
    assert asked == ["two eyes", "two eyes"]


async def test_where_nothing_is_allowed_by_default_all_of_it_has_to_be(
    opened: Open,
) -> None:
    some = [allow("delete", models=["Customer", "Order"]), allow("read")]
    async with opened(Policy(tuple(some), default="deny")) as db:
        with pytest.raises(WriteBlockedError) as caught:
            await db["Customer"].delete(1)
        assert caught.value.model in {"Line", "Visit"}
        assert await db["Customer"].count() == 2

        db.protect(allow(("delete", "update"), models=["Line", "Visit"]))
        await db["Customer"].delete(1)
        assert await db["Line"].count() == 0


async def test_a_row_that_is_only_marked_as_deleted_takes_nothing_along(
    opened: Open,
) -> None:
    async with opened(Policy((deny("delete", models="Note"),))) as db:
        with pytest.raises(WriteBlockedError):
            await db["Kept"].delete(1, permanent=True)
        await db["Kept"].delete(1)

        assert await db["Note"].count() == 1


async def test_an_explanation_and_a_simulation_say_what_would_be_decided(
    opened: Open,
) -> None:
    rule = deny("delete", models="Line", id="kept")
    async with opened(Policy((allow("delete"),))) as db:
        with db.protection.recording() as records:
            await db["Line"].delete(1)
            await db["Customer"].delete(1)
            await db["Visit"].delete(1)
        changes = db.protection.simulate(Policy((rule,)), records)
        db.protect(rule)
        said = db.protection.explain(model="Customer", operation="delete")

    assert [each.recorded.model for each in changes] == ["Line", "Customer"]
    assert {(each.effect, each.rules) for each in changes} == {("deny", ("kept",))}
    assert (said.effect, said.rules) == ("deny", ("kept",))
    assert "Line" in str(said.reason)


# -- keys that are passed on -------------------------------------------------------


def declare_passing(db: DataFlow) -> None:
    @db.model
    class Account:
        code: str = field(unique=True)
        name: str = ""

    @db.model
    class Member:
        account_code: str = field(
            references="Account.code", on_update="cascade", unique=True
        )
        is_kept: bool = False

    @db.model
    class Badge:
        member_code: str = field(
            references="Member.account_code", on_update="cascade", relation="member"
        )

    @db.model
    class Guest:
        account_code: str | None = field(
            default=None, references="Account.code", on_update="set_null"
        )


@pytest.fixture
def passing(database_url: str) -> Open:
    @asynccontextmanager
    async def passing(protection: Any) -> AsyncGenerator[DataFlow]:
        plain = DataFlow(database_url)
        declare_passing(plain)
        async with plain:
            await plain["Account"].create(code="a", name="A")
            await plain["Member"].create(account_code="a")
            await plain["Badge"].create(member_code="a")
            await plain["Guest"].create(account_code="a")
        plain.close()
        db = DataFlow(database_url, protection=protection)
        declare_passing(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return passing


async def raw_update(db: DataFlow) -> object:
    builder = db.workflow()
    query = {"query": "UPDATE accounts SET code = 'b' WHERE id = 1"}
    builder.add_node("AsyncSQLDatabaseNode", "it", query)
    return await refused(db.run(builder.build()))


CHANGED: list[dict[str, Any]] = [{"id": 1, "code": "b", "name": "A"}]
CHANGES: dict[str, Delete] = {
    "update": lambda db: db["Account"].update(1, code="b"),
    "update by fields": lambda db: db["Account"].update(1, fields={"code": "b"}),
    "upsert": lambda db: db["Account"].upsert(where={"id": 1}, update={"code": "b"}),
    "bulk_update by filter": lambda db: db["Account"].bulk_update(
        filter={"id": 1}, update={"code": "b"}
    ),
    "bulk_update by rows": lambda db: db["Account"].bulk_update(data=CHANGED),
    "bulk_update by rows that come": lambda db: db["Account"].bulk_update(
        data=iter(CHANGED)
    ),
    "bulk_upsert": lambda db: db["Account"].bulk_upsert(CHANGED),
    "bulk_create": lambda db: db["Account"].bulk_create(
        CHANGED, conflict_resolution="upsert"
    ),
    "raw SQL": raw_update,
}
KEEPING = {
    "a model that is changed along": deny("update", models="Member", id="r"),
    "a model behind it": deny("update", models="Badge", id="r"),
    "a field that becomes NULL": deny(
        "update", models="Guest", fields="account_code", id="r"
    ),
    "some rows, which may be these": deny(
        "update", models="Member", when={"old.is_kept": True}, id="r"
    ),
}


@pytest.mark.parametrize("rule", KEEPING)
@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_of_a_key_is_refused_with_what_it_would_change_along(
    how: str, rule: str, passing: Open
) -> None:
    async with passing(Policy((KEEPING[rule],))) as db:
        with pytest.raises(WriteBlockedError) as caught:
            await CHANGES[how](db)
        page = await db["Account"].list()
        guests = await db["Guest"].list()

    assert caught.value.rule == "r"
    assert caught.value.model != "Account"
    assert [row["code"] for row in page["records"]] == ["a"]
    assert [row["account_code"] for row in guests["records"]] == ["a"]


@pytest.mark.parametrize("how", CHANGES)
async def test_a_change_of_a_key_passes_if_what_it_changes_along_may_change(
    how: str, passing: Open
) -> None:
    rules = [
        deny("update", models="Member", fields="is_kept"),
        deny(("create", "delete"), models=["Member", "Badge", "Guest"]),
    ]
    async with passing(Policy(tuple(rules))) as db:
        await CHANGES[how](db)
        badge = await db["Badge"].read(1)
        guest = await db["Guest"].read(1)

    assert badge is not None
    assert guest is not None
    assert (badge["member_code"], guest["account_code"]) == ("b", None)


async def test_a_change_that_leaves_the_key_alone_reaches_nothing(
    passing: Open,
) -> None:
    rules = deny("update", models=["Member", "Badge", "Guest"])
    rows = [{"id": 1, "name": "new"}]
    async with passing(rules) as db:
        account = db["Account"]
        await account.update(1, name="n")
        await account.upsert(where={"code": "a"}, update={"name": "n"})
        await account.bulk_update(filter={"code": "a"}, update={"name": "n"})
        await account.bulk_update(data=rows)
        await account.bulk_upsert(
            [{"code": "a", "name": "n"}], conflict_on=["code"], return_ids=True
        )
        await account.bulk_create([{"code": "c"}])
        await account.bulk_create(iter([{"code": "d"}]), conflict_resolution="skip")

        assert await account.count() == 3
