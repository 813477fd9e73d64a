"""The keys of persons are wrapped anew in every place where there are some."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from typer.testing import CliRunner

from dataflow import PII, DataFlow
from dataflow.audit import Hidden
from dataflow.cli._app import app
from dataflow.drivers import connect, open_bridge, parse_url
from dataflow.errors import (
    SubjectKeyError,
    TenantAuditError,
    TenantMismatchError,
    TenantScopeError,
)
from dataflow.protection import allow
from dataflow.sql import Statement

OLD, NEW, OTHER = "the key of last year", "the key of this year", "a third one, longer"
NAMES = ("acme", "globex", "hooli")

MODULE = """
from typing import Annotated
from dataflow import PII, DataFlow

db = DataFlow("{url}", tenancy="database")


@db.model
class Member:
    mail: Annotated[str, PII("email")]

    __dataflow__ = {{"multi_tenant": True, "subject": True, "audit": "changes"}}
"""


class StoppedError(Exception):
    """Somebody pulled the plug."""


def opened(url: str, *keys: str, **options: Any) -> DataFlow:
    options = {"tenancy": "database"} | options
    db = DataFlow(url, privacy_keys=list(keys), protection=[allow("unmask")], **options)

    @db.model
    class Operator:
        mail: Annotated[str, PII("email")]

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "subject": True,
            "audit": "changes",
        }

    @db.model
    class Member:
        mail: Annotated[str, PII("email")]

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "subject": True,
            "audit": "changes",
        }

    del Operator, Member
    return db


@pytest.fixture
async def url(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Give a database with a person of its own, and three tenants with one each."""
    db = opened(database_url, OLD)
    async with db:
        await db["Operator"].create(mail="op@x")
        for name in NAMES:
            await db.tenants.create(name)
            await db["Member"].create(mail=f"{name}@x", tenant_id=name)
    await db.aclose()
    yield database_url
    if database_url.startswith("postgres"):
        apart = db._database.apart
        assert apart is not None
        for name in NAMES:
            request.getfixturevalue("postgres_server").drop(apart.url(name).database)


async def mails(db: DataFlow) -> list[object]:
    """Return what can be read of the first mail of each person."""
    found: list[object] = []
    (made,) = await db["Operator"].history(1)
    for versions in (
        [made],
        *[await db["Member"].history(1, tenant_id=name) for name in NAMES],
    ):
        (version,) = versions
        assert version.new is not None
        found.append(version.new["mail"])
    return found


async def test_keys_are_wrapped_anew_in_every_place(url: str) -> None:
    both, alone = opened(url, NEW, OLD), opened(url, NEW)
    told: list[tuple[str, int, int]] = []

    def on_tenant(*about: Any) -> None:
        told.append(about)

    async with both:
        assert await both.privacy.rotate_keys(tenant="acme") == 1
        with both.tenant("globex"):
            assert await both.privacy.rotate_keys() == 1
            with pytest.raises(TenantMismatchError):
                await both.privacy.rotate_keys(tenant="acme")
        async with alone:
            assert await mails(alone) == [
                Hidden.LOCKED,
                "acme@x",
                "globex@x",
                Hidden.LOCKED,
            ]
        assert await both.privacy.rotate_keys(on_tenant=on_tenant) == 2
        assert await both.privacy.rotate_keys() == 0
        assert await both.privacy.rotate_keys(tenant="hooli") == 0
    await both.aclose()

    assert told == [("acme", 1, 3), ("globex", 2, 3), ("hooli", 3, 3)]
    async with alone:
        assert await mails(alone) == ["op@x", "acme@x", "globex@x", "hooli@x"]
    await alone.aclose()


async def test_a_rotation_tells_who_failed_and_goes_on_with_the_others(
    url: str,
) -> None:
    third = opened(url, OTHER, OLD)
    async with third:
        assert await third.privacy.rotate_keys(tenant="globex") == 1
    await third.aclose()
    both = opened(url, NEW, OLD)
    async with both:
        with pytest.raises(TenantAuditError, match="rotating keys failed") as failed:
            await both.privacy.rotate_keys()
        assert [*failed.value.problems] == ["globex"]
        assert (failed.value.done, failed.value.left) == (("acme",), ("hooli",))
        with pytest.raises(SubjectKeyError):
            await both.privacy.rotate_keys(tenant="globex")
        with pytest.raises(TenantAuditError) as failed:
            await both.privacy.rotate_keys(keep_going=True)
        assert (failed.value.done, failed.value.left) == (("acme", "hooli"), ())
    await both.aclose()
    every = opened(url, NEW, OLD, OTHER)
    async with every:
        assert await every.privacy.rotate_keys() == 1
    await every.aclose()


async def test_a_rotation_that_was_stopped_goes_on(url: str) -> None:
    def stop(name: str, n_done: int, total: int) -> None:
        del n_done, total
        if name == "globex":
            raise StoppedError

    both = opened(url, NEW, OLD)
    async with both:
        with pytest.raises(StoppedError):
            await both.privacy.rotate_keys(on_tenant=stop)
        assert await both.privacy.rotate_keys() == 1
    await both.aclose()


async def test_a_tenant_in_between_is_told_and_not_forgotten(url: str) -> None:
    async with open_bridge() as bridge:
        driver = connect(parse_url(url), bridge, pool_size=1)
        async with driver.acquire() as connection:
            text = "UPDATE dataflow_tenants SET state = 'importing' WHERE name = 'acme'"
            await connection.run((Statement(text),))
        await driver.aclose()
    both = opened(url, NEW, OLD)
    async with both:
        with pytest.raises(TenantAuditError, match="'acme' is importing") as failed:
            await both.privacy.rotate_keys()
        assert failed.value.done == ("globex", "hooli")
    await both.aclose()


async def test_tenants_that_share_tables_share_their_keys(sqlite_url: str) -> None:
    db = opened(sqlite_url, NEW, OLD, tenancy="row")
    async with db:
        await db["Member"].create(mail="a@x", tenant_id="acme")
        with pytest.raises(TenantScopeError, match="share one"):
            await db.privacy.rotate_keys(tenant="acme")
        with db.tenant("acme"):
            assert await db.privacy.rotate_keys() == 0
    await db.aclose()


def test_keys_of_all_tenants_are_wrapped_from_the_command_line(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"persons_{abs(hash(tmp_path)):x}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(url=sqlite_url))
    monkeypatch.chdir(tmp_path)  # which the command imports from
    monkeypatch.setenv("DATAFLOW_PRIVACY_KEYS", NEW)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--models", name])
        return done.exit_code, done.stdout

    assert run("tenant", "create", "acme")[0] == 0
    code, output = run("privacy", "rotate-keys", "--keep-going")
    assert (code, output) == (0, "0 keys were wrapped anew\n")
    assert run("privacy", "rotate-keys", "--tenant", "acme")[0] == 0
    assert run("privacy", "rotate-keys", "--tenant", "nobody")[0] == 1
