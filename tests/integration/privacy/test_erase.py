"""Erasing a person: all of it or nothing, in a way the database takes."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import anyio
import pytest
from persons import declare_shop, fill

from dataflow import PII, DataFlow, field
from dataflow.errors import (
    ErasureBlockedError,
    LegalHoldError,
    SubjectNotFoundError,
    WriteBlockedError,
)
from dataflow.privacy import Erasure
from dataflow.protection import allow, deny


async def counts(db: DataFlow) -> dict[str, int]:
    return {
        "Customer": await db["Customer"].count(include_deleted=True),
        "Order": await db["Order"].count(),
        "Line": await db["Line"].count(include_deleted=True),
    }


def told(erasure: Erasure) -> list[tuple[str, int, str]]:
    return [(each.model, each.rows, each.action) for each in erasure.steps]


async def test_a_plan_changes_nothing(shop: DataFlow) -> None:
    ann, _ = await fill(shop)
    plan = await shop.privacy.erase_subject(ann["id"])

    assert not plan.is_done
    assert plan.run_id is None
    assert told(plan) == [
        ("Customer", 1, "unlink"),
        ("Line", 4, "delete"),
        ("Order", 2, "delete"),
        ("Customer", 1, "delete"),
    ]
    assert plan.n_rows == 8
    assert plan.plain()["steps"][0]["fields"] == ("friend_id",)
    assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}


async def test_a_deletion_does_what_its_plan_says(shop: DataFlow) -> None:
    ann, bob = await fill(shop)
    plan = await shop.privacy.erase_subject(ann["id"])
    done = await shop.privacy.erase_subject(ann["id"], dry_run=False)

    assert done.is_done
    assert told(done) == told(plan)
    assert await counts(shop) == {"Customer": 1, "Order": 1, "Line": 2}
    assert (await shop["Customer"].read(bob["id"]))["friend_id"] is None
    with pytest.raises(SubjectNotFoundError):
        await shop.privacy.erase_subject(ann["id"])


async def test_what_is_anonymised_tells_nothing_and_fits(shop: DataFlow) -> None:
    ann, bob = await fill(shop)
    await shop["Customer"].delete(ann["id"])
    await shop.privacy.erase_subject(ann["id"], mode="anonymise", dry_run=False)
    done = await shop.privacy.erase_subject(bob["id"], mode="anonymise", dry_run=False)
    first, second = [
        await shop["Customer"].read(each["id"], include_deleted=True)
        for each in (ann, bob)
    ]
    again = await shop.privacy.erase_subject(ann["id"], mode="anonymise", dry_run=False)
    after = await shop["Customer"].read(ann["id"], include_deleted=True)

    assert told(done) == [
        ("Line", 2, "keep"),
        ("Order", 1, "anonymise"),
        ("Customer", 1, "anonymise"),
    ]
    assert again.is_done
    assert after | {"version": 0} == first | {"version": 0}
    assert first["deleted_at"] is not None
    assert first["mail"] != second["mail"]
    assert first["mail"].endswith("@erased.invalid")
    assert first["code"] not in (ann["code"], second["code"])
    assert (first["name"], first["born"]) == (None, None)
    assert (first["notes"], first["extra"], first["income"]) == ([], {}, 0)
    assert {each["address"] for each in (await shop["Order"].list())["records"]} == {
        "nowhere"
    }
    assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}


async def test_what_must_be_kept_keeps_what_it_refers_to(database_url: str) -> None:
    db = DataFlow(database_url)
    declare_shop(db, erasure={"keep": "tax law, ten years"})
    async with db:
        ann, _ = await fill(db)
        done = await db.privacy.erase_subject(ann["id"], dry_run=False)
        left = await counts(db)
    await db.aclose()

    assert told(done) == [
        ("Line", 4, "delete"),
        ("Order", 2, "keep"),
        ("Customer", 1, "anonymise"),
    ]
    assert [each.reason for each in done.steps] == [
        None,
        "tax law, ten years",
        "rows of Order refer to it, and stay",
    ]
    assert left == {"Customer": 2, "Order": 3, "Line": 2}


async def test_a_model_may_say_what_becomes_of_its_rows(sqlite_url: str) -> None:
    db = DataFlow(sqlite_url)
    declare_shop(db, erasure="anonymise")
    async with db:
        ann, _ = await fill(db)
        plan = await db.privacy.erase_subject(ann["id"])
    await db.aclose()

    assert told(plan)[1:] == [("Order", 2, "anonymise"), ("Customer", 1, "anonymise")]


async def test_rows_on_hold_stop_it(shop: DataFlow) -> None:
    ann, _ = await fill(shop)
    orders = (await shop["Order"].list(filter={"customer_id": ann["id"]}))["records"]
    await shop["Order"].update(orders[0]["id"], held=True)
    with pytest.raises(LegalHoldError, match="1 rows of Order are on legal hold"):
        await shop.privacy.erase_subject(ann["id"], dry_run=False)

    assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}


async def test_a_rule_is_about_an_erasure_too_and_undoes_all_of_it(
    shop: DataFlow,
) -> None:
    ann, _ = await fill(shop)
    rule = deny("delete", models="Customer", id="customers-stay")
    with shop.protect(rule), pytest.raises(WriteBlockedError) as caught:
        await shop.privacy.erase_subject(ann["id"], dry_run=False)

    assert caught.value.rule == "customers-stay"
    assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}


async def test_a_cancelled_erasure_leaves_everything(shop: DataFlow) -> None:
    ann, _ = await fill(shop)
    stopped = anyio.Event()

    async def stop(turn: Any, call_next: Any) -> None:
        if turn.taken[0].message.node == "CustomerBulkDeleteNode":
            stopped.set()
            await anyio.sleep_forever()
        await call_next(turn)

    shop._database.interceptors += (stop,)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_erase, shop, ann["id"])
            await stopped.wait()
            tasks.cancel_scope.cancel()
        assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}
        await shop["Order"].create(customer_id=ann["id"], address="x")


async def _erase(db: DataFlow, key: object) -> None:
    await db.privacy.erase_subject(key, dry_run=False)


SCRIPT = """
import os, sys
import anyio
sys.path.insert(0, sys.argv[2])
from dataflow import DataFlow
from persons import declare_shop

async def die(turn, call_next):
    await call_next(turn)
    if turn.taken[0].message.node == "OrderBulkDeleteNode":
        print("deleted", flush=True)
        sys.stdin.readline()

db = DataFlow(sys.argv[1], interceptors=[die])
declare_shop(db)

async def main():
    async with db:
        await db.privacy.erase_subject(1, dry_run=False)

anyio.run(main)
"""


async def test_a_killed_process_leaves_everything(
    shop: DataFlow, database_url: str, pytestconfig: pytest.Config
) -> None:
    await fill(shop)
    folder = str(pytestconfig.rootpath / "tests")

    def run() -> None:
        command = [sys.executable, "-c", SCRIPT, database_url, folder]
        with subprocess.Popen(  # noqa: S603  our own script
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"deleted\n"
            process.kill()

    await anyio.to_thread.run_sync(run)
    assert await counts(shop) == {"Customer": 2, "Order": 3, "Line": 6}
    assert (await shop.privacy.erase_subject(1, dry_run=False)).is_done


async def test_rows_of_others_that_need_what_goes_stop_it(database_url: str) -> None:
    db = DataFlow(database_url)

    @db.model
    class Person:
        __dataflow__ = {"subject": True}  # noqa: RUF012  as users write it

        name: Annotated[str, PII("name")]

    @db.model
    class Letter:
        __dataflow__ = {"subject": False}  # noqa: RUF012  likewise

        person_id: int = field(references="Person")

    async with db:
        person = await db["Person"].create(name="Ann")
        await db["Letter"].create(person_id=person["id"])
        with pytest.raises(ErasureBlockedError, match="1 rows of Letter") as caught:
            await db.privacy.erase_subject(person["id"], dry_run=False)
        done = await db.privacy.erase_subject(
            person["id"], mode="anonymise", dry_run=False
        )
    await db.aclose()

    assert (caught.value.model, caught.value.by, caught.value.count) == (
        "Person",
        "Letter",
        1,
    )
    assert told(done) == [("Person", 1, "anonymise")]


async def test_of_a_tenant_only_its_own_persons_are_erased(database_url: str) -> None:
    db = DataFlow(database_url)

    @db.model
    class Person:
        __dataflow__ = {  # noqa: RUF012  as users write it
            "subject": True,
            "multi_tenant": True,
            "primary_key": "code",
        }
        code: str
        name: Annotated[str, PII("name")]

    async with db:
        for tenant in ("a", "b"):
            with db.tenant(tenant):
                await db["Person"].create(code="x", name=tenant)
        with db.tenant("a"):
            await db.privacy.erase_subject("x", mode="anonymise", dry_run=False)
            await db.privacy.erase_subject("x", dry_run=False)
            assert await db["Person"].count() == 0
        with db.tenant("b"):
            assert await db["Person"].count() == 1
    await db.aclose()


async def test_the_audit_has_an_erasure_as_one_run(database_url: str) -> None:
    db = DataFlow(database_url, protection=[allow("unmask")])

    @db.model
    class Person:
        __dataflow__ = {"subject": True, "audit": "changes"}  # noqa: RUF012  likewise

        name: Annotated[str, PII("name")]

    async with db:
        person = await db["Person"].create(name="Ann")
        with db.acting("olga", reason="asked on Monday"):
            done = await db.privacy.erase_subject(person["id"], dry_run=False)
        versions = await db["Person"].history(person["id"])
        found = await db.audit.verify()
    await db.aclose()

    assert done.recorded == ("Person",)
    assert found.n_events == 2
    facts = versions[-1].facts
    assert facts is not None
    assert (facts.principal, facts.reason, facts.run) == (
        "olga",
        "asked on Monday",
        done.run_id,
    )


async def test_an_unknown_mode_is_refused(shop: DataFlow) -> None:
    with pytest.raises(ValueError, match="did you mean 'anonymise'"):
        await shop.privacy.erase_subject(1, mode="anonymize")
