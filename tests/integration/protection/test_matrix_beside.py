"""What writes and reads beside the nine nodes, at every level: denied, and not done."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import anyio
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from dataflow import PII, DataFlow, field
from dataflow.cli._app import app
from dataflow.errors import BlockedError, DataFlowError, PartialViewError
from dataflow.protection import Policy, Rule, deny

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]
Call = Callable[[DataFlow], Awaitable[object]]

LATER = datetime.now(UTC) + timedelta(days=100)


def declare_office(db: DataFlow) -> None:
    @db.model
    class Person:
        name: Annotated[str | None, PII("name")]

        __dataflow__: ClassVar = {"subject": True}

    @db.model
    class Visit:
        place: str
        made: datetime
        person_id: int = field(references="Person")

        __dataflow__: ClassVar = {
            "retention": {"after_days": 9, "field": "made", "action": "delete"}
        }

    @db.model
    class Note:
        text: str
        person_id: int | None = field(default=None, references="Person")

        __dataflow__: ClassVar = {"soft_delete": True, "audit": "changes"}

    @db.model
    class Bill:
        number: str

        __dataflow__: ClassVar = {"multi_tenant": True}


async def fill(url: str) -> None:
    db = DataFlow(url, known_tenants_only=True)
    declare_office(db)
    async with db:
        await db.tenants.create("acme", reason="new")
        person = await db["Person"].create(name="Ann")
        await db["Visit"].create(place="x", made=datetime.now(UTC), person_id=1)
        await db["Note"].bulk_create([{"text": t, "person_id": 1} for t in "abc"])
        await db["Note"].delete(2)
        await db["Bill"].create(number="1", tenant_id="acme")
    await db.aclose()
    assert person["id"] == 1


async def state(url: str) -> list[Any]:
    db = DataFlow(url)
    declare_office(db)
    async with db:
        found = [
            (await db[name].list(limit=None, **more))["records"]
            for name, more in (
                ("Person", {}),
                ("Visit", {}),
                ("Note", {"include_deleted": True}),
            )
        ]
        with db.cross_tenant(reason="a look"):
            found.append(await db["Bill"].count())
            found.append([(t.name, t.state) for t in await db.tenants.list()])
    await db.aclose()
    return found


@pytest.fixture
def opened(database_url: str) -> Open:
    """Give what opens an office under rules."""

    @asynccontextmanager
    async def opened(rules: Any = None) -> AsyncGenerator[DataFlow]:
        await fill(database_url)
        db = DataFlow(
            database_url, protection=rules, known_tenants_only=True, echo=True
        )
        declare_office(db)
        with anyio.fail_after(120):
            async with db:
                yield db
        await db.aclose()

    return opened


WRITES: Mapping[str, Call] = {
    "restore": lambda db: db["Note"].restore(2),
    "erasure": lambda db: db.privacy.erase_subject(1, dry_run=False),
    "anonymising": lambda db: db.privacy.erase_subject(
        1, mode="anonymise", dry_run=False
    ),
    "retention": lambda db: db.privacy.apply_retention(now=LATER, dry_run=False),
    "end of a tenant": lambda db: db.tenants.delete("acme", confirmed=True),
}
LEVELS: Mapping[str, Any] = {
    "global": Policy.read_only("stocktaking"),
    "model": [deny(models=each) for each in ("Person", "Visit", "Note", "Bill")],
    "operation": deny(["create", "update", "delete", "schema"]),
    "row": [
        deny("write", models="Note", when={"old.text": {"$in": ["a", "b", "c"]}}),
        deny("write", models="Visit", when={"old.place": "x"}),
        deny("write", models="Bill", when={"old.number": "1"}),
        deny("write", models="Person", when={"old.id": 1}),
    ],
    "number of rows": deny("write", max_rows=0),
    "principal": deny("write", when={"principal": {"$ne": "ada"}}),
    "default": Policy.production(),
    "approval": Rule("require_approval", "write"),
}
MODELS = ('"PEOPLE"', '"PERSONS"', '"VISITS"', '"NOTES"', '"BILLS"')


async def is_denied(call: Call, db: DataFlow) -> bool:
    """Do something, and tell whether rules refused it."""
    try:
        await call(db)
    except DataFlowError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, BlockedError):
            cause = cause.__cause__
        # What an export may not see it does not leave out.
        return cause is not None or isinstance(error, PartialViewError)
    return False


def written(events: list[Any]) -> list[str]:
    texts = [str(event.get("text", "")).strip().upper() for event in events]
    verbs = ("INSERT INTO ", "UPDATE ", "DELETE FROM ", "COPY ", "DROP TABLE ")
    return [
        each
        for each in texts
        if each.startswith(verbs) and any(name in each for name in MODELS)
    ]


UNKNOWN_BEFORE = ("row", "number of rows")
"""Levels that refuse when rows are looked at, so that a tenant is going by then."""


async def test_no_way_of_writing_goes_around_a_level(
    opened: Open, database_url: str
) -> None:
    passed: list[str] = []
    async with opened() as db:
        kept: list[Any] = []
        before = await state(database_url)
        for level in sorted(LEVELS, key=UNKNOWN_BEFORE.__contains__):
            if level in UNKNOWN_BEFORE:
                kept = kept or await state(database_url)
            db.protection.replace(LEVELS[level])
            for name, write in WRITES.items():
                with capture_logs() as events:
                    if not await is_denied(write, db):
                        passed.append(f"{level}: {name}")
                # How many rows it were is known once they are written.
                if level != "number of rows" and written(events):
                    passed.append(f"{level}: {name} wrote")
    *rows, _ = await state(database_url)

    assert passed == []
    assert kept == before
    assert rows == before[:-1]


async def test_a_migration_goes_around_no_level(
    opened: Open, database_url: str
) -> None:
    async def migrate(db: DataFlow) -> None:
        await db.auto_migrate(auto_confirm=True)

    passed: list[str] = []
    async with opened():
        before = await state(database_url)
    grown = DataFlow(database_url)
    declare_office(grown)

    @grown.model
    class Visit:
        place: str
        made: datetime
        person_id: int = field(references="Person")
        rank: int = 7  # what is there is filled with it

    async with grown:
        for level, rules in LEVELS.items():
            grown.protection.replace(rules)
            if not await is_denied(migrate, grown):
                passed.append(level)
    await grown.aclose()
    after = await state(database_url)

    assert passed == []
    assert after == before


async def _page(db: DataFlow) -> object:
    db.protection.replace(None)
    page = await db["Note"].list(limit=1, order_by=["id"])
    db.protection.replace(deny("read"))
    return await db["Note"].list(limit=1, order_by=["id"], cursor=page["next_cursor"])


async def _stream(db: DataFlow) -> object:
    async with db["Note"].stream() as rows:
        return [row async for row in rows]


READS: Mapping[str, Call] = {
    "read": lambda db: db["Note"].read(1),
    "list": lambda db: db["Note"].list(),
    "page behind a cursor": _page,
    "stream": _stream,
    "count": lambda db: db["Note"].count(),
    "aggregate": lambda db: db["Note"].aggregate({"n": {"$count": "*"}}),
    "groups": lambda db: db["Note"].aggregate({"n": {"$count": "*"}}, group_by="text"),
    "distinct": lambda db: db["Note"].list(fields=["text"], distinct=True),
    "explain": lambda db: db["Note"].explain(),
    "explain by doing": lambda db: db["Note"].explain(analyze=True),
    "history": lambda db: db["Note"].history(1),
    "state then": lambda db: db["Note"].as_of(LATER, 1),
    "export": lambda db: db.privacy.export_subject(1),
    "deleted rows": lambda db: db["Note"].list(include_deleted=True),
}
READ_LEVELS: Mapping[str, Any] = {
    "global": deny("read"),
    "model": deny(models="Note"),
    "principal": deny("read", when={"principal": {"$ne": "ada"}}),
    "default": Policy(default="deny"),
    "approval": Rule("require_approval", "read"),
}


async def test_no_way_of_reading_goes_around_a_level(opened: Open) -> None:
    passed: list[str] = []
    async with opened() as db:
        for level, rules in READ_LEVELS.items():
            for name, read in READS.items():
                db.protection.replace(rules)
                if not await is_denied(read, db):
                    passed.append(f"{level}: {name}")

    assert passed == []


async def _included(db: DataFlow) -> object:
    async with db["Visit"].stream(include=["person"]) as rows:
        return [row async for row in rows]


INCLUDES: Mapping[str, Call] = {
    "include": lambda db: db["Visit"].list(include=["person"]),
    "include in a stream": _included,
    "filter of related rows": lambda db: db["Visit"].list(
        filter={"person": {"name": "Ann"}}
    ),
    "count by related rows": lambda db: db["Visit"].count({"person": {"id": 1}}),
}


async def test_related_rows_are_no_way_around(opened: Open) -> None:
    passed: list[str] = []
    async with opened() as db:
        for level, rules in READ_LEVELS.items():
            if level == "model":
                rules = deny(models="Person")  # noqa: PLW2901
            db.protection.replace(rules)
            for name, read in INCLUDES.items():
                if not await is_denied(read, db):
                    passed.append(f"{level}: {name}")
        # By its own rules the row may be read, the related one not.
        db.protection.replace(deny("read", models="Person", when={"old.id": 1}))
        page = await db["Visit"].list(include=["person"])
        count = await db["Visit"].count({"person": {"id": 1}})

    assert passed == []
    assert [each["person"] for each in page["records"]] == [None]
    assert count == 0


# -- the command line ----------------------------------------------------------------

MODULE = f"""
from __future__ import annotations
from datetime import datetime
from typing import Annotated, ClassVar
from dataflow import PII, DataFlow, field
from dataflow.protection import deny

{inspect.getsource(declare_office)}

db = DataFlow(URL, protection=deny("write", id="no"), known_tenants_only=True)
declare_office(db)
"""


@pytest.fixture
def office(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Give the name of a module that declares an office where nobody may write."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "office_under_rules.py").write_text(
        MODULE.replace("URL", repr(database_url))
    )
    anyio.run(fill, database_url)
    yield "office_under_rules"
    sys.modules.pop("office_under_rules", None)


COMMANDS = (
    ("privacy", "erase", "1", "--yes"),
    ("privacy", "erase", "1", "--mode", "anonymise", "--yes"),
    ("tenant", "delete", "acme", "--yes"),
)


def test_commands_are_no_way_around(office: str, database_url: str) -> None:
    before = anyio.run(state, database_url)
    results: list[Result] = []
    for command in COMMANDS:
        sys.modules.pop(office, None)
        runner = CliRunner(env={"COLUMNS": "200"})
        results.append(runner.invoke(app, [*command, "--models", office]))
    after = anyio.run(state, database_url)

    assert [each.exit_code for each in results] == [1] * len(COMMANDS)
    assert all("no refused" in each.output for each in results)
    assert after == before
