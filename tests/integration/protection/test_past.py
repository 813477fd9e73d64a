"""Rules about reading hold for what was recorded; restoring a row is an update."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import ReadBlockedError, WriteBlockedError
from dataflow.protection import Policy, allow, deny

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]

SECRETS = deny("read", models="Note", when={"old.is_secret": True}, id="secrets")


def declare(db: DataFlow) -> None:
    @db.model
    class Note:
        text: str
        is_secret: bool = False
        mail: str | None = field(default=None, mask="partial")

        __dataflow__: ClassVar = {"audit": "changes", "soft_delete": True}


@pytest.fixture
def opened(database_url: str) -> Open:
    """Give what opens a database of audited notes under rules."""

    @asynccontextmanager
    async def opened(*rules: Any) -> AsyncGenerator[DataFlow]:
        policy = rules[0] if isinstance(rules[0], Policy) else list(rules)
        db = DataFlow(database_url, protection=policy)
        declare(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return opened


async def note(database_url: str, *changes: dict[str, Any]) -> list[datetime]:
    """Store one note, change it, and return when that was."""
    db = DataFlow(database_url)
    declare(db)
    async with db:
        first, *others = changes
        await db["Note"].create(**first)
        for each in others:
            await db["Note"].update(1, **each)
        times = [each.at for each in await db["Note"].history(1)]
    db.close()
    return [at for at in times if at is not None]


async def test_masks_are_laid_over_what_was_recorded(
    opened: Open, database_url: str
) -> None:
    await note(database_url, {"text": "a", "mail": "ada@x.org"}, {"mail": "bob@x.org"})
    async with opened(deny("read", fields="text", id="text")) as db:
        made, changed = await db["Note"].history(1)
        then = await db["Note"].as_of(made.at, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert made.new is not None
    assert (made.new["text"], made.new["mail"]) == ("***", "a***@x.org")
    assert (changed.old, changed.new) == (
        {"mail": "a***@x.org"},
        {"mail": "b***@x.org"},
    )
    assert then == {**made.new, "id": 1}


async def test_who_may_see_masked_fields_sees_them_in_the_past(
    opened: Open, database_url: str
) -> None:
    await note(database_url, {"text": "a", "mail": "ada@x.org"})
    async with opened(allow("unmask", fields="mail")) as db:
        (made,) = await db["Note"].history(1)

    assert made.new is not None
    assert made.new["mail"] == "ada@x.org"


async def test_changes_from_and_to_hidden_values_are_left_out(
    opened: Open, database_url: str
) -> None:
    times = await note(
        database_url,
        {"text": "a"},
        {"text": "b"},
        {"is_secret": True},
        {"text": "hidden"},
        {"is_secret": False},
        {"text": "c"},
    )
    async with opened(SECRETS) as db:
        versions = await db["Note"].history(1)
        states = [await db["Note"].as_of(at, 1) for at in times]

    assert [each.new and each.new["text"] for each in versions] == ["a", "b", "c"]
    assert "hidden" not in repr([each.new for each in versions])
    # The text of a change that is left out is what the next ones began with.
    assert [each and each["text"] for each in states] == [
        *("a", "b", None, None, "hidden", "c")
    ]


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_row_that_is_hidden_now_has_no_past(
    opened: Open, database_url: str, *, is_gone: bool
) -> None:
    (first, _) = await note(database_url, {"text": "a"}, {"is_secret": True})
    if is_gone:
        plain = DataFlow(database_url)
        declare(plain)
        async with plain:
            await plain["Note"].delete(1, permanent=True)
        plain.close()
    async with opened(SECRETS) as db:
        versions = await db["Note"].history(1)
        record = await db["Note"].as_of(first, 1)

    assert (versions, record) == ([], None)


async def test_what_the_records_do_not_tell_is_refused(
    opened: Open, database_url: str, raw: Callable[..., Any]
) -> None:
    await note(database_url, {"text": "a"}, {"text": "b"}, {"text": "c"})
    # As if the audit had been switched on when the row was there.
    plain = DataFlow(database_url)
    async with plain:
        await raw(
            plain,
            "DELETE FROM dataflow_audit WHERE id = (SELECT min(id) FROM dataflow_audit)",
        )
    plain.close()
    async with opened(SECRETS) as db:
        with pytest.raises(ReadBlockedError) as caught:
            await db["Note"].history(1)
        nothing = await db["Note"].history(7)
    async with opened(deny("read", when={"old.text": "x"}, models="Note")) as db:
        versions = await db["Note"].history(1)

    assert (caught.value.rule, caught.value.operation) == ("secrets", "history")
    assert nothing == []
    assert [each.new for each in versions] == [{"text": "b"}, {"text": "c"}]


@pytest.mark.parametrize("operations", ["read", "history"])
async def test_the_past_is_refused_to_who_may_not_read(
    opened: Open, database_url: str, operations: str
) -> None:
    (at,) = await note(database_url, {"text": "a"})
    async with opened(deny(operations, models="Note", id="no")) as db:
        with pytest.raises(ReadBlockedError, match="no refused history"):
            await db["Note"].history(1)
        with pytest.raises(ReadBlockedError, match="no refused history"):
            await db["Note"].as_of(at, 1)


# -- restoring ---------------------------------------------------------------------


async def deleted(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)
    async with db:
        await db["Note"].bulk_create([{"text": "a"}, {"text": "b"}])
        await db["Note"].delete(1)
    db.close()


REFUSING = (
    deny("restore"),
    deny("update"),
    deny("write"),
    deny("update", fields="deleted_at", models="Note"),
    deny("update", when={"old.text": "a"}, models="Note"),
    deny("update", when={"new.deleted_at": None}, models="Note"),
    deny("restore", max_rows=0),
    Policy.production(allow("update", fields="text", models="Note")),
    Policy.production(allow(["create", "delete"])),
)
PASSING = (
    deny(["create", "delete", "schema"]),
    deny("update", fields="text", models="Note"),
    deny("update", when={"old.text": "b"}, models="Note"),
    Policy.production(allow("restore")),
    Policy.production(allow("update", fields="deleted_at", models="Note")),
)


async def test_restoring_is_refused_as_an_update_is(
    opened: Open, database_url: str
) -> None:
    await deleted(database_url)
    async with opened(REFUSING[0]) as db:
        for rule in REFUSING:
            db.protection.replace(rule)
            with pytest.raises(WriteBlockedError) as caught:
                await db["Note"].restore(1)
            assert caught.value.operation == "restore"
        count = await db["Note"].count()

    assert count == 1


async def test_restoring_passes_where_an_update_does(
    opened: Open, database_url: str
) -> None:
    await deleted(database_url)
    async with opened(PASSING[0]) as db:
        for rule in PASSING:
            db.protection.replace(rule)
            restored = await db["Note"].restore(1)
            assert (restored["restored"], restored["text"]) == (True, "a")
            db.protection.replace(None)
            await db["Note"].delete(1)


async def test_a_hidden_row_is_not_restored(opened: Open, database_url: str) -> None:
    await note(database_url, {"text": "a"}, {"is_secret": True})
    plain = DataFlow(database_url)
    declare(plain)
    async with plain:
        await plain["Note"].delete(1)
    plain.close()
    async with opened(SECRETS) as db:
        restored = await db["Note"].restore(1)

    assert restored["restored"] is False
