"""Processes that die in a migration, and many that migrate at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from evolving import FREE, migrate, migrator, model, run

from dataflow.drivers import Driver
from dataflow.models import field
from dataflow.schema.migration import Entry

pytestmark = pytest.mark.slow
asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""The processes have event loops of their own."""

KILLING = str(Path(__file__).parents[3] / "killed.py")
KILLED_EVERY = int(os.environ.get("DATAFLOW_TEST_KILLED_EVERY", "12"))
"""A process dies at every n-th statement; 1 tries all of them, in some minutes."""

KILLED = """
import os, signal, sys
import anyio
from dataflow import DataFlow
from dataflow.models import field

db = DataFlow(sys.argv[1])

@db.model
class User:
    name: str = field(unique=True)
    alias: str = field(renamed_from="nick")
    age: int
    code: int = field(default_factory=lambda: 7)
    active: bool = True
    __dataflow__ = {"indexes": ["alias"]}

def die(step, number, seconds):
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with db:
        await db.migrations.apply(max_risk_level="CRITICAL", on_step=die)

anyio.run(main)
"""
FIRST = model("User", name=str, nick=str, age=int | None, old=float)
SECOND = model(
    "User",
    name=(str, field(unique=True)),
    alias=(str, field(renamed_from="nick")),
    age=int,
    code=(int, field(default_factory=lambda: 7)),
    active=(bool, True),
    __dataflow__={"indexes": ["alias"]},
)
EXPECTED = [("a", "b", 1, 7, 3), ("c", "d", 2, 7, 3)]


async def prepare(driver: Driver) -> None:
    await migrate(driver, FIRST)
    values = "(name, nick, age, old) VALUES ('a', 'b', 1, 3), ('c', 'd', 2, 3)"
    await run(driver, f"INSERT INTO users {values}")


async def kill(url: str, number: int) -> int:
    """Migrate in a process that dies behind a step, and return its exit code."""
    command = [sys.executable, "-c", KILLED, url, str(number)]
    done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
    assert done.returncode in (0, -9), done.stdout
    return done.returncode


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_a_process_that_is_killed_anywhere_leaves_nothing_in_the_way(
    database_url: str, direction: str
) -> None:
    """See `killed`: a migration with steps of every kind, and its way back."""
    command = [sys.executable, KILLING, database_url, direction, str(KILLED_EVERY)]
    done = subprocess.run(  # noqa: S603  # our own
        command, capture_output=True, check=False, text=True
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


async def test_of_eight_that_migrate_at_once_one_does(driver: Driver) -> None:
    await prepare(driver)
    entries: list[Entry | None] = []

    async def apply() -> None:
        entries.append(await migrator(driver, SECOND).apply(FREE))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(apply)

    done = [each for each in entries if each is not None]
    assert len(done) == 1
    assert [e.number for e in await migrator(driver, SECOND).entries()] == [1, 2]
    assert len(await run(driver, "SELECT * FROM users")) == 2


@asyncio_only
async def test_of_eight_processes_one_does(driver: Driver, database_url: str) -> None:
    await prepare(driver)
    codes: list[int] = []

    async def apply() -> None:
        codes.append(await kill(database_url, -1))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(apply)
    entries = await migrator(driver, SECOND).entries()

    assert codes == [0] * 8
    assert [entry.state for entry in entries] == ["applied", "applied"]
    assert not await migrator(driver, SECOND).check()


@asyncio_only
async def test_of_eight_processes_others_go_on_when_some_are_killed(
    driver: Driver, database_url: str
) -> None:
    await prepare(driver)
    codes: list[int] = []

    async def apply(at: int) -> None:
        codes.append(await kill(database_url, at))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for at in (0, 3, 7, *[-1] * 5):
                tasks.start_soon(apply, at)
    entries = await migrator(driver, SECOND).entries()

    assert codes.count(0) >= 5
    assert entries[-1].state == "applied"
    assert not await migrator(driver, SECOND).check()
    query = "SELECT name, alias, age, code, _dataflow_dropped_old FROM users ORDER BY 1"
    assert await run(driver, query) == EXPECTED


async def test_a_cancelled_migration_is_finished_by_the_next(driver: Driver) -> None:
    await prepare(driver)
    scope = anyio.CancelScope()

    def stop(*_: Any) -> None:
        scope.cancel()

    with scope:
        await migrator(driver, SECOND).apply(FREE, stop)
    assert scope.cancelled_caught
    assert await migrate(driver, SECOND)

    assert not await migrator(driver, SECOND).check()
    assert len(await run(driver, "SELECT * FROM users")) == 2
