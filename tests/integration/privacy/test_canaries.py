"""Personal values get into no log, no error and no repr, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Annotated, Any

import pytest
import structlog

from dataflow import PII, DataFlow, field
from dataflow.actors import DeadLetters
from dataflow.errors import DataFlowError
from dataflow.messages import Envelope, Operation, Request
from dataflow.protection import allow, deny, warn
from dataflow.sql import Result, Statement

CANARY = "CANARY"


@pytest.fixture
def sinks(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Collect whatever is logged or warned of, by the package and by the clients."""
    told: list[str] = []

    def keep(_: object, __: str, event: MutableMapping[str, Any]) -> str:
        told.append(repr(event))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, keep])
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield told
        told += [str(each.message) for each in caught]
    structlog.reset_defaults()
    told += [repr(each.__dict__) for each in caplog.records]
    assert CANARY not in "\n".join(told)


def declare(db: DataFlow) -> None:
    @db.model
    class Person:
        code: int = field(primary_key=True)
        mail: Annotated[str, PII("email")] = field(unique=True)
        name: Annotated[str, PII("name")]
        age: Annotated[int | None, PII("age")]
        tags: Annotated[list[str], PII("tags")] = field(default_factory=list)
        more: Annotated[dict[str, Any], PII("more")] = field(default_factory=dict)

        __dataflow__ = {  # noqa: RUF012  as users write it
            "subject": True,
            "audit": "changes",
            "versioned": True,
        }

    @db.model
    class Order:
        person_id: int = field(references="Person")
        address: Annotated[str, PII("address")]


def person(**other: Any) -> dict[str, Any]:
    return {
        "code": 1,
        "mail": f"{CANARY}@example.org",
        "name": CANARY,
        "tags": [CANARY],
        "more": {CANARY: CANARY},
    } | other


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
    lambda db: db["Person"].explain(filter={"age": CANARY}),
    lambda db: db["Person"].history(CANARY),
    lambda db: db["Order"].create(person_id=99, address=CANARY),
    lambda db: db["Order"].create(person_id=CANARY, address=CANARY),
    lambda db: db["Order"].bulk_create([{"person_id": 99, "address": CANARY}]),
    lambda db: db.privacy.erase_subject(CANARY),
    lambda db: db.privacy.export_subject(CANARY),
    lambda db: db.privacy.export_subject({"mail": CANARY}),
]


def said(error: BaseException) -> str:
    """Return all that may be told of an error: of it, and of what led to it."""
    texts = [str(error), repr(error), "".join(traceback.format_exception(error))]
    chain: list[BaseException] = [error]
    for each in chain:
        texts += [
            str(each),
            repr(each),
            repr(each.args),
            *getattr(each, "__notes__", ()),
        ]
        texts += [repr(value) for value in vars(each).values()]
        led = (each.__cause__, each.__context__)
        chain += [other for other in led if other is not None and other not in chain]
    return "\n".join(texts)


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
