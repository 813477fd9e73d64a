"""Personal values get into no log, no error and no repr, whatever goes wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from canaries import CANARY, declare, person, said
from typer.testing import CliRunner

from dataflow import DataFlow
from dataflow.actors import Actor, ActorSystem, DeadLetters, Turn
from dataflow.cli._app import app
from dataflow.errors import DataFlowError
from dataflow.messages import Envelope, Operation, Request
from dataflow.protection import allow, deny, warn
from dataflow.sql import Result, Statement

Call = Callable[[DataFlow], Awaitable[object]]

WRONG: Sequence[Call] = [
    lambda db: db["Person"].create(**person()),
    lambda db: db["Person"].create(**person(code=2)),
    lambda db: db["Person"].create(**person(code=CANARY)),
    lambda db: db["Person"].create(**person(age=CANARY)),
    lambda db: db["Person"].create(**person(tags=CANARY)),
    lambda db: db["Person"].create(**person(more=[CANARY])),
    lambda db: db["Person"].create(**person(name=f"{CANARY}\0")),
    lambda db: db["Person"].create(**person(name=f"{CANARY}\ud800")),
    lambda db: db["Person"].create(**person(name=[CANARY])),
    lambda db: db["Person"].create(**person(age=2**70)),
    lambda db: db["Person"].read(CANARY),
    lambda db: db["Person"].read(filter={"mail": CANARY}),
    lambda db: db["Person"].read(filter={"name": {"$regex": f"({CANARY}"}}),
    lambda db: db["Person"].list(filter={"name": {"$gt": [CANARY]}}),
    lambda db: db["Person"].list(filter={"name": {"$in": CANARY}}),
    lambda db: db["Person"].list(filter={"age": CANARY}),
    lambda db: db["Person"].list(filter={"age": {"$in": [1, CANARY]}}),
    lambda db: db["Person"].list(filter={"age": {"$mod": [CANARY, 1]}}),
    lambda db: db["Person"].list(filter={"tags": {"$all": CANARY}}),
    lambda db: db["Person"].list(filter={"tags": {"$size": CANARY}}),
    lambda db: db["Person"].list(cursor=CANARY),
    lambda db: db["Person"].count({"mail": {"$eq": {CANARY: 1}}}),
    lambda db: db["Person"].aggregate(
        {"n": {"$count": "*"}}, having={"n": {"$gt": CANARY}}
    ),
    lambda db: db["Person"].aggregate({"n": {"$sum": "name"}}, filter={"name": CANARY}),
    lambda db: db["Person"].aggregate(
        {"n": {"$count": "*"}}, filter={"age": CANARY}, group_by=["mail"]
    ),
    lambda db: db["Person"].aggregate(
        {"n": {"$max": "name"}}, group_by=["mail"], having={"mail": {"$in": CANARY}}
    ),
    lambda db: drained(db, filter={"age": CANARY}),
    lambda db: drained(db, filter={"name": {"$regex": f"({CANARY}"}}),
    lambda db: drained(db, filter={"mail": {"$in": [CANARY, {}]}}),
    lambda db: drained(db, filter={"mail": CANARY}, include=["nobody"]),
    lambda db: drained(db, filter={"more.x": {"$size": CANARY}}),
    lambda db: db["Person"].update(1, mail="taken", version=7),
    lambda db: db["Person"].update(1, mail=None),
    lambda db: db["Person"].update(1, age=CANARY),
    lambda db: db["Person"].update(2, mail=f"{CANARY}@example.org"),
    lambda db: db["Person"].delete(CANARY),
    lambda db: db["Person"].upsert(
        where={"mail": f"{CANARY}@example.org"},
        update={"name": CANARY, "age": CANARY},
        create=person(),
    ),
    lambda db: db["Person"].upsert(
        where={"mail": f"other-{CANARY}"},
        update={"name": CANARY},
        create=person(mail=f"other-{CANARY}"),
    ),
    lambda db: db["Person"].bulk_create([person()]),
    lambda db: db["Person"].bulk_create([person(code=3), person(code=4)]),
    lambda db: db["Person"].bulk_create([person(age=CANARY)]),
    lambda db: db["Person"].bulk_create(
        [person(code=n) for n in range(5, 9)], error_strategy="continue", max_errors=0
    ),
    lambda db: db["Person"].bulk_update(data=[{"code": 1, "age": CANARY}]),
    lambda db: db["Person"].bulk_update(filter={"code": 1}, update={"age": CANARY}),
    lambda db: db["Person"].bulk_update(
        filter={"code": 1}, update={"age": {"$inc": 2**62}}
    ),
    lambda db: db["Person"].bulk_delete(ids=[CANARY]),
    lambda db: db["Person"].bulk_delete(filter={"code": 1}),
    lambda db: db["Person"].bulk_upsert([person(code=CANARY)]),
    lambda db: db["Person"].bulk_upsert(
        [person(code=7), person(code=7, age=CANARY)], conflict_on=["mail"]
    ),
    lambda db: db["Person"].bulk_upsert([person(code=2)], conflict_on=["code"]),
    lambda db: db["Person"].bulk_update(
        data=[{"code": 2, "mail": f"{CANARY}@example.org"}]
    ),
    lambda db: db["Person"].bulk_create(row for row in [person(), {"mail": CANARY}]),
    lambda db: db["Person"].bulk_create(
        [person(code=9, mail=CANARY), person(code=9, mail=f"{CANARY}9")], atomic=True
    ),
    lambda db: db["Person"].explain(filter={"age": CANARY}),
    lambda db: db["Person"].history(CANARY),
    lambda db: db["Order"].create(person_id=99, address=CANARY),
    lambda db: db["Order"].create(person_id=CANARY, address=CANARY),
    lambda db: db["Order"].bulk_create([{"person_id": 99, "address": CANARY}]),
    lambda db: db.privacy.erase_subject(CANARY),
    lambda db: db.privacy.export_subject(CANARY),
    lambda db: db.privacy.export_subject({"mail": CANARY}),
]


async def drained(db: DataFlow, **asked: Any) -> list[dict[str, Any]]:
    return [row async for row in db["Person"].stream(**asked)]


async def refusal(call: Call, db: DataFlow) -> Exception | None:
    try:
        await call(db)
    except Exception as error:  # noqa: BLE001  whichever it is, it must not tell
        return error
    return None


@pytest.mark.parametrize("rules", [(), (allow("unmask"),)], ids=["masked", "shown"])
async def test_no_error_holds_a_personal_value(
    database_url: str, sinks: list[str], rules: tuple[Any, ...]
) -> None:
    noisy = (warn("write", id="noise"), deny("delete", max_rows=0, id="stay"))
    db = DataFlow(database_url, echo=True, protection=[*rules, *noisy])
    declare(db)
    async with db:
        await db["Person"].create(**person(age=2**62))
        await db["Person"].create(**person(code=2, mail="taken"))
        await db["Order"].create(person_id=1, address=CANARY)
        errors = [await refusal(call, db) for call in WRONG]
    await db.aclose()

    assert sinks
    assert [n for n, e in enumerate(errors) if not isinstance(e, DataFlowError)] == []
    told = [error for error in errors if error and CANARY in said(error)]
    assert list(map(said, told)) == []


async def test_no_run_and_no_raw_statement_tells_one(
    database_url: str, sinks: list[str]
) -> None:
    db = DataFlow(database_url, echo=True, protection=[allow("unmask")])
    declare(db)
    place = "$1" if database_url.startswith("postgres") else "?"
    async with db:
        await db["Person"].create(**person())
        for node, parameters in (
            ("PersonCreateNode", person()),
            (
                "AsyncSQLDatabaseNode",
                {"query": f"SELECT 1 WHERE {place}::int = 1", "params": [CANARY]},
            ),
        ):
            workflow = db.workflow()
            workflow.add_node(node, "it", parameters)
            with pytest.raises(Exception) as caught:  # noqa: PT011  any at all
                await db.run(workflow.build())
            assert CANARY not in said(caught.value), node
        plan = await db["Person"].explain(
            filter={"mail": CANARY, "name": {"$contains": CANARY}}, analyze=True
        )
        judged = db.protection.explain(
            Request(
                node="PersonCreateNode",
                model="Person",
                operation=Operation.CREATE,
                parameters=person(),
            )
        )
        await db.privacy.erase_subject(1, dry_run=False)
    await db.aclose()

    assert CANARY not in f"{plan} {plan!r} {judged} {judged!r}"
    assert sinks


def test_no_repr_on_the_message_path_holds_a_value() -> None:
    request = Request(
        node="PersonCreateNode",
        model="Person",
        operation=Operation.CREATE,
        parameters={"mail": CANARY},
    )
    envelope = Envelope(message=request)
    waiting = repr(envelope)
    envelope.reply({"mail": CANARY})
    letters = DeadLetters()
    statement = Statement("SELECT $1", (CANARY,))

    told = [waiting, repr(envelope), repr([*letters]), repr(statement)]
    told.append(repr(Result([(CANARY,)], 1)))
    assert CANARY not in "\n".join(told)
    assert repr(request) == "<Request PersonCreateNode(mail)>"
    assert waiting == "<Envelope of <Request PersonCreateNode(mail)>, waiting>"
    assert repr(statement) == "<Statement 'SELECT $1', 1 parameters>"


async def test_no_report_of_a_bulk_node_tells_one(
    database_url: str, sinks: list[str]
) -> None:
    db = DataFlow(database_url, echo=True)
    declare(db)
    async with db:
        await db["Person"].create(**person())
        rows = [person(code=n) for n in range(5)] + [person(code=9, age=CANARY)]
        made = await db["Person"].bulk_create(rows, error_strategy="continue")
        changed = await db["Person"].bulk_update(
            data=[{"code": 1, "age": 7}, {"code": 77, "name": CANARY}]
        )
        stored = await db["Person"].bulk_upsert(
            [person(code=3, age=CANARY)], error_strategy="continue"
        )
        tree = db.tree()
    await db.aclose()

    assert made["failed"] == 6
    assert CANARY not in repr([made, changed, stored, tree])
    assert sinks


async def test_what_cannot_be_sealed_or_opened_tells_nothing(
    database_url: str, sinks: list[str]
) -> None:
    told: list[str] = []
    for key in ("the key that came first", "the key that came behind"):
        db = DataFlow(database_url, echo=True, privacy_keys=key)
        declare(db)
        async with db:
            calls: Sequence[Call] = (
                lambda db: db["Person"].create(**person(age=1)),
                lambda db: db["Person"].update(1, age=5, name=f"{CANARY}2"),
                lambda db: db["Person"].bulk_update(
                    filter={"code": 1}, update={"age": {"$inc": 1}}
                ),
                lambda db: db.privacy.rotate_keys(),
            )
            for call in calls:
                error = await refusal(call, db)
                told += [] if error is None else [said(error)]
        await db.aclose()

    assert len(told) == 4
    assert CANARY not in "".join(told)
    assert sinks


async def test_no_dead_letter_tells_one(sinks: list[str]) -> None:
    class Failing(Actor):
        async def handle(self, turn: Turn) -> None:
            del turn
            failure = "of the handler"
            raise ValueError(failure)

    request = Request(
        node="PersonCreateNode",
        model="Person",
        operation=Operation.CREATE,
        parameters=person(),
    )
    arrived = anyio.Event()
    async with ActorSystem() as system:
        system.dead_letters.subscribe(lambda _: arrived.set())
        ref = system.spawn(Failing, "failing")
        await ref.tell(request)
        with anyio.fail_after(10):
            await arrived.wait()
        letters = [*system.dead_letters]
        seen = f"{letters!r} {system.tree()!r}"

    assert len(letters) == 1
    assert CANARY not in seen
    assert any("dead_letter" in event for event in sinks)


MODULE = """
from canaries import declare
from dataflow import DataFlow

db = DataFlow({url!r}, privacy_keys="sixteen bytes or more of them")
declare(db)
"""


@pytest.mark.usefixtures("sinks")
def test_no_command_tells_one(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canary_shop.py").write_text(MODULE.format(url=database_url))

    async def fill() -> None:
        db = DataFlow(database_url, privacy_keys="sixteen bytes or more of them")
        declare(db)
        async with db:
            await db["Person"].create(**person())
            await db["Order"].create(person_id=1, address=CANARY)
        await db.aclose()

    anyio.run(fill)
    told: list[str] = []
    of = ["--models", "canary_shop"]
    try:
        for command in (
            ["privacy", "export", "1", *of],
            ["privacy", "export", CANARY, *of],
            ["privacy", "erase", "1", *of],
            ["privacy", "erase", "1", "--mode", "anonymise", "--json", *of],
            ["privacy", "retention", *of],
            ["privacy", "rotate-keys", *of],
            ["audit", "verify", "--url", database_url, "--json"],
            ["audit", "checkpoint", "--url", database_url],
            ["privacy", "erase", "1", "--yes", *of],
            ["privacy", "erase", "1", "--yes", *of],
        ):
            sys.modules.pop("canary_shop", None)
            result = CliRunner().invoke(app, command)
            told.append(json.dumps([command[1], result.exit_code, result.output]))
            assert isinstance(result.exception, SystemExit | None), told
    finally:
        sys.modules.pop("canary_shop", None)

    assert CANARY not in "".join(told)
