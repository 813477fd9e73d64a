"""The index that finds records by the keys of rows is not believed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dataflow import DataFlow
from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import AuditBrokenError
from dataflow.sql import Statement


def declared(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Account:
        owner: str

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012  as users write it

    @db.model
    class Other:
        owner: str

        __dataflow__ = {"audit": "full"}  # noqa: RUF012  as users write it

    del Account, Other
    return db


@asynccontextmanager
async def filled(url: str) -> AsyncGenerator[DataFlow]:
    """Give a database with two accounts, and another row with the key of the first."""
    db = declared(url)
    async with db:
        await db["Account"].create(owner="a")
        await db["Account"].create(owner="b")
        await db["Other"].create(owner="c")
        yield db
    await db.aclose()


@pytest.fixture
async def db(sqlite_url: str) -> AsyncIterator[DataFlow]:
    async with filled(sqlite_url) as db:
        yield db


async def change(url: str, bridge: Bridge, *texts: str) -> None:
    driver = connect(parse_url(url), bridge, pool_size=1)
    try:
        async with driver.acquire() as connection:
            for text in texts:
                await connection.run((Statement(text),))
    finally:
        await driver.aclose()


async def is_broken(db: DataFlow, problem: str) -> None:
    """See that verifying the audit names the index, and whose record it is."""
    with pytest.raises(AuditBrokenError, match=problem) as found:
        await db.audit.verify()
    assert found.value.lane == "Account"
    assert "dataflow_audit_keys" in found.value.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("UPDATE dataflow_audit_keys SET record = 2 WHERE record = 1", "do not find"),
        ("INSERT INTO dataflow_audit_keys VALUES ('Account', 1, 2)", "finds a record"),
        ("INSERT INTO dataflow_audit_keys VALUES ('Account', 1, 3)", "finds a record"),
        (
            "UPDATE dataflow_audit_keys SET model = 'Account' WHERE record = 3",
            "finds a record|do not find",
        ),
    ],
    ids=["moved", "another row", "another model", "stolen"],
)
async def test_a_history_that_is_led_astray_is_no_history(
    db: DataFlow, sqlite_url: str, bridge: Bridge, text: str, problem: str
) -> None:
    await change(sqlite_url, bridge, text)

    with pytest.raises(AuditBrokenError, match="dataflow_audit_keys") as found:
        await db["Account"].history(1)
    assert found.value.lane == "Account"
    with pytest.raises(AuditBrokenError, match=problem):
        await db.audit.verify()


async def test_a_key_that_finds_nothing_is_named(
    db: DataFlow, sqlite_url: str, bridge: Bridge
) -> None:
    text = "INSERT INTO dataflow_audit_keys VALUES ('Account', 1, 77)"
    await change(sqlite_url, bridge, text)

    assert len(await db["Account"].history(1)) == 1
    await is_broken(db, r"finds a record \(77\) of another row")


async def test_a_record_that_its_key_does_not_find_is_named(
    db: DataFlow, sqlite_url: str, bridge: Bridge
) -> None:
    await change(sqlite_url, bridge, "DELETE FROM dataflow_audit_keys WHERE record = 2")

    assert await db["Account"].history(2) == []
    await is_broken(db, r"has a record \(2\) that its keys")


async def test_an_index_that_is_gone_is_named(
    db: DataFlow, sqlite_url: str, bridge: Bridge
) -> None:
    await change(sqlite_url, bridge, "DROP TABLE dataflow_audit_keys")

    with pytest.raises(
        AuditBrokenError, match="index dataflow_audit_keys is not there"
    ):
        await db.audit.verify()


async def test_a_row_of_a_former_record_is_not_found_by_another_key(
    db: DataFlow, sqlite_url: str, bridge: Bridge
) -> None:
    record = (
        "INSERT INTO dataflow_audit (id, model, op, key, new) VALUES (9, 'Account', "
        "'insert', '[9]', '{\"id\":9,\"owner\":\"z\"}')"
    )
    await change(sqlite_url, bridge, record)
    (found,) = await db["Account"].history(9)
    assert found.new == {"id": 9, "owner": "z"}
    text = "INSERT INTO dataflow_audit_keys VALUES ('Account', 1, 9)"
    await change(sqlite_url, bridge, text)

    with pytest.raises(AuditBrokenError, match="dataflow_audit_keys"):
        await db["Account"].history(1)
    await is_broken(db, r"finds a record \(9\) of another row")


@pytest.mark.parametrize(
    "values",
    [
        "new = '{'",
        'new = \'{"id":[],"owner":[]}\'',
        "new = '{\"id\":7}'",
        "op = '[1'",
        "op = '[]'",
    ],
)
async def test_a_record_that_is_none_breaks_the_audit(
    database_url: str, bridge: Bridge, values: str
) -> None:
    async with filled(database_url) as db:
        text = f"UPDATE dataflow_audit SET {values} WHERE id = 1"
        await change(database_url, bridge, text)

        with pytest.raises(AuditBrokenError, match="cannot be read") as found:
            await db["Account"].history(1)
        assert found.value.lane == "Account"
        with pytest.raises(AuditBrokenError):
            await db.audit.verify()


async def test_on_postgresql_no_index_tells_what_is_found(
    postgres_url: str, bridge: Bridge
) -> None:
    async with filled(postgres_url) as db:
        made = await db["Account"].history(1)
        await change(postgres_url, bridge, "DROP INDEX dataflow_audit_keys")

        assert await db["Account"].history(1) == made
        assert (await db.audit.verify()).n_events == 3
