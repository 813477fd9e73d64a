"""What the specification says of migrations, as a user writes it."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.actors import Handler, Turn
from dataflow.errors import (
    MigrationBlockedError,
    MigrationConfirmationError,
    MigrationRiskError,
    RiskLevelError,
    SchemaProtectedError,
    WriteBlockedError,
)
from dataflow.messages import Operation
from dataflow.protection import ReadOnly, deny


def first(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        email: str


def second(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        email: str
        phone: str = None  # type: ignore[assignment]  # NEW - triggers migration


async def prepare(db: DataFlow) -> None:
    first(db)
    await db["User"].create(name="Alice", email="a@example.com")
    second(db)


async def columns(db: DataFlow) -> list[str]:
    schema = await db.inspect_schema_async()
    return [each.name for each in schema.by_name["users"].columns]


class Terminal(io.StringIO):
    """A stream somebody sits at."""

    def isatty(self) -> bool:
        """Say so."""
        return True


async def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with DataFlow(database_url) as db:
        await prepare(db)
        before = await db.inspect_schema_async()
        success, migrations = await db.auto_migrate(dry_run=True)
        after = await db.inspect_schema_async()

    assert success
    (migration,) = migrations
    (step,) = migration.operations
    assert (step.operation_type, step.table_name) == ("add_column", "users")
    assert 'ADD COLUMN "phone"' in step.sql_up
    assert 'DROP COLUMN "phone"' in step.sql_down
    assert before == after
    assert "add column" not in capsys.readouterr().out


async def test_production_mode_migrates_without_asking(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        await prepare(db)
        success, migrations = await db.auto_migrate(
            auto_confirm=True,
            max_risk_level="MEDIUM",
            backup_before_migration=True,
            rollback_on_error=True,
        )
        records = (await db["User"].list())["records"]
        created = await db["User"].create(name="B", email="b", phone="1")
        history = await db.migrations.history()

        assert await db.auto_migrate(auto_confirm=True) == (True, [])
        assert await db.auto_migrate(dry_run=True) == (True, [])

    assert success
    assert len(migrations) == 1
    assert records[0]["phone"] is None
    assert created["phone"] == "1"
    assert [entry.state for entry in history] == ["applied"]
    assert history[0].backup


@pytest.mark.parametrize(
    ("answer", "is_done"), [("y", True), ("", False), ("no", False)]
)
async def test_it_shows_a_preview_and_asks_on_a_terminal(
    database_url: str, monkeypatch: pytest.MonkeyPatch, *, answer: str, is_done: bool
) -> None:
    async with DataFlow(database_url) as db:
        await prepare(db)
        output = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
        monkeypatch.setattr(sys, "stdout", output)
        success, migrations = await db.auto_migrate()
        monkeypatch.undo()

        assert success is is_done
        assert len(migrations) == 1
        assert ("phone" in await columns(db)) is is_done
    assert "add column phone to users" in output.getvalue()
    assert "[y/N]" in output.getvalue()


async def test_without_a_terminal_it_names_the_command(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        await prepare(db)
        with pytest.raises(MigrationConfirmationError) as error:
            await db.auto_migrate()
        assert "phone" not in await columns(db)

    assert error.value.command.startswith("dataflow migrate apply --models ")


async def test_what_is_riskier_than_allowed_is_refused(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        await prepare(db)

        @db.model
        class User:
            name: str

        assert await db.auto_migrate(dry_run=True, max_risk_level="MEDIUM") == (
            False,
            (await db.auto_migrate(dry_run=True))[1],
        )
        with pytest.raises(MigrationRiskError):
            await db.auto_migrate(auto_confirm=True, max_risk_level="MEDIUM")
        with pytest.raises(RiskLevelError):
            await db.auto_migrate(dry_run=True, max_risk_level="SOME")
        assert "email" in await columns(db)

        @db.model
        class Again:
            name: str
            mail: str
            __tablename__ = "users"

        assert not (await db.auto_migrate(dry_run=True))[0]
        with pytest.raises(MigrationBlockedError):
            await db.auto_migrate(auto_confirm=True)


async def test_an_existing_schema_is_never_changed(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with DataFlow(database_url) as db:
        first(db)
        await db["User"].create(name="Alice", email="a")
    caplog.set_level(logging.INFO, "dataflow")
    async with DataFlow(database_url, existing_schema_mode=True, echo=True) as db:
        second(db)
        assert (await db.auto_migrate(dry_run=True))[0]
        for call in (
            db.auto_migrate(auto_confirm=True),
            db.migrations.apply(),
            db.migrations.roll_back(),
            db.migrations.purge(),
        ):
            with pytest.raises(SchemaProtectedError, match="existing_schema_mode"):
                await call

    assert not _ddl(caplog)


async def test_without_auto_migrate_nothing_is_changed_before_it_is_called(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with DataFlow(database_url) as db:
        first(db)
        await db["User"].create(name="Alice", email="a")
    caplog.set_level(logging.INFO, "dataflow")
    async with DataFlow(database_url, auto_migrate=False, echo=True) as db:
        first(db)
        await db.initialize()
        await db["User"].list()
        await db.auto_migrate(dry_run=True)
        assert not _ddl(caplog)
        second(db)
        assert (await db.auto_migrate(auto_confirm=True))[0]
        assert "phone" in await columns(db)


def _ddl(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [r.getMessage() for r in caplog.records if "statement_run" in r.msg]
    words = ("CREATE ", "ALTER ", "DROP ")
    return [each for each in texts if any(word in each for word in words)]


def test_it_works_from_the_background_too(database_url: str) -> None:
    import anyio  # noqa: PLC0415

    db = DataFlow(database_url)
    second(db)

    async def main() -> Any:
        return await db.auto_migrate(auto_confirm=True)

    assert anyio.run(main)[0]
    assert "phone" in {
        each.name for each in db.inspect_schema().by_name["users"].columns
    }
    db.close()


def test_importing_costs_no_sqlalchemy(database_url: str, tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    script = """
import sys, anyio
from dataflow import DataFlow
db = DataFlow(sys.argv[1])
@db.model
class User:
    name: str
async def main():
    async with db:
        print(await db.auto_migrate(auto_confirm=True) is not None)
        print(await db.auto_migrate(auto_confirm=True))
        print("sqlalchemy" in sys.modules)
anyio.run(main)
"""
    command = [sys.executable, "-c", script, database_url]
    done = subprocess.run(  # noqa: S603  # our own script
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["True", "(True, [])", "False"]


async def test_a_layer_that_refuses_writes_refuses_migrations(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as db:
        first(db)
        await db["User"].create(name="Alice", email="a")
    layers = [ReadOnly(reason="for the test")]
    async with DataFlow(database_url, interceptors=layers) as db:
        second(db)
        assert (await db.auto_migrate(dry_run=True))[0]
        for call in (
            lambda: db.auto_migrate(auto_confirm=True),
            db.migrations.apply,
            db.migrations.roll_back,
            db.migrations.purge,
        ):
            with pytest.raises(WriteBlockedError, match="for the test"):
                await call()
        assert "phone" not in await columns(db)


async def test_a_layer_that_lets_writes_pass_sees_migrations(database_url: str) -> None:
    seen: list[Any] = []

    async def watch(turn: Turn, call_next: Handler) -> None:
        seen.extend(each.message.operation for each in turn)
        await call_next(turn)

    async with DataFlow(database_url, interceptors=[watch]) as db:
        first(db)
        assert (await db.auto_migrate(auto_confirm=True))[0]
        assert await columns(db)
    assert seen == [Operation.SQL]


async def test_tables_that_others_made_are_never_migrated(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        flow = db.workflow()
        query = "CREATE TABLE places (id integer PRIMARY KEY, spot varchar(9), x money)"
        parameters = {"query": query, "validate_queries": False}
        flow.add_node("AsyncSQLDatabaseNode", "it", parameters)
        await db.run(flow.build())
        await db.register_schema_as_models_async(["places"])
        first(db)
        before = (await db.inspect_schema_async()).by_name["places"]
        _, migrations = await db.auto_migrate(
            auto_confirm=True, max_risk_level="CRITICAL"
        )

        assert migrations[0].tables == ("users",)
        assert (await db.inspect_schema_async()).by_name["places"] == before
        assert not await db.migrations.check()


async def test_rules_about_the_schema_of_a_model_hold_for_migrations_too(
    database_url: str,
) -> None:
    rules = [
        deny("schema", models="User", when={"principal": {"$ne": "admin"}}, id="dba")
    ]
    db = DataFlow(database_url, protection=rules)
    first(db)
    async with db:
        with pytest.raises(WriteBlockedError, match="dba"):
            await db.auto_migrate(auto_confirm=True)
        with db.acting(principal="admin"):
            assert (await db.auto_migrate(auto_confirm=True))[0]
        assert "email" in await columns(db)
