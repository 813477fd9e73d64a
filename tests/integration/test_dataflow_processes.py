"""What needs a process of its own: the background host, threads, and exits."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

HEADER = """
import sys, threading
import anyio
from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import *

url = sys.argv[1]
db = DataFlow(url)

@db.model
class User:
    name: str

def create(name="a"):
    flow = WorkflowBuilder()
    flow.add_node("UserCreateNode", "it", {"name": name})
    return flow.build()

runtime = LocalRuntime()
"""


def run(database_url: str, script: str, *, backend: str = "asyncio") -> str:
    """Run *script* behind `HEADER` in a new process, and return what it prints."""
    text = HEADER + dedent(script).replace("BACKEND", repr(backend))
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-W", "error", "-c", text, database_url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def test_a_program_that_closes_nothing_ends(database_url: str) -> None:
    script = "print(runtime.execute(create())[0]['it']['id'])"

    assert run(database_url, script) == "1"
    assert run(database_url, script) == "2"


def test_a_program_that_closes_what_it_used_ends(database_url: str) -> None:
    script = """
    runtime.execute(create())
    db.close()
    try:
        runtime.execute(create())
    except UnknownNodeError as error:
        print(error.name)
    """

    assert run(database_url, script) == "UserCreateNode"


def test_a_dataflow_that_was_never_used_starts_nothing(database_url: str) -> None:
    script = """
    db.close()
    print([thread.name for thread in threading.enumerate()])
    """

    assert run(database_url, script) == "['MainThread']"


@backends
def test_without_entering_it_works_on_any_event_loop(
    database_url: str, backend: str
) -> None:
    script = """
    async def main():
        await db[User].create(name="direct")
        await db.run(create("run"))
        await AsyncLocalRuntime().execute(create("runtime"))
        LocalRuntime().execute(create("blocking"))
        print([record["name"] async for record in db[User].stream(page=1)])
        with anyio.CancelScope() as scope:
            scope.cancel()
            await db[User].create(name="cancelled")
        try:
            await db.run(create("late"), deadline=anyio.current_time() - 1)
        except DeadlineExceededError:
            print(await db[User].count({"name": "late"}))
        await db.run(create("early"), deadline=anyio.current_time() + 20)
        await db.aclose()
        try:
            await db[User].count()
        except ClosedError as error:
            print("closed")

    anyio.run(main, backend=BACKEND)
    """
    printed = run(database_url, script, backend=backend)

    assert printed.splitlines() == [
        "['direct', 'run', 'runtime', 'blocking']",
        "0",
        "closed",
    ]


def test_several_event_loops_use_one_dataflow_at_once(database_url: str) -> None:
    script = """
    barrier = threading.Barrier(4)

    async def work():
        await db.initialize()
        barrier.wait()
        for _ in range(5):
            await db[User].create(name="a")
            await db.run(create("b"))

    async def enter():
        async with db:
            await work()

    threads = [
        threading.Thread(target=anyio.run, args=(function,))
        for function in (enter, enter, work)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    for _ in range(5):
        runtime.execute(create("c"))
    for thread in threads:
        thread.join()
    flow = db.workflow()
    flow.add_node("UserCountNode", "it")
    print(runtime.execute(flow.build())[0]["it"]["count"])
    """

    assert run(database_url, script) == "35"


def test_a_program_may_use_trio_and_synchronous_code(database_url: str) -> None:
    script = """
    async def main():
        async with db:
            await db[User].create(name="a")

    anyio.run(main, backend="trio")
    print(runtime.execute(create())[0]["it"]["id"])
    """

    assert run(database_url, script) == "2"


def test_a_database_in_memory_has_one_event_loop() -> None:
    script = """
    async def main():
        async with db:
            await db[User].create(name="a")
            try:
                LocalRuntime().execute(create())
            except WorkflowError as error:
                print(type(error.__cause__).__name__)
            print(await db[User].count())

    anyio.run(main)
    runtime.execute(create())
    print(runtime.execute(create())[0]["it"]["id"])
    """

    assert run(":memory:", script).splitlines() == ["MemoryDatabaseError", "1", "2"]


def test_importing_costs_no_database_client() -> None:
    script = """
    clients = {"asyncpg", "aiosqlite", "sqlalchemy", "structlog", "trio", "re2"}
    print(sorted(clients & set(sys.modules)))
    """

    assert run(":memory:", script) == "[]"


def test_declaring_a_model_of_no_persons_imports_nothing_about_them() -> None:
    script = """
    db = DataFlow("sqlite:///:memory:")

    @db.model
    class Plain:
        name: str

    print(db.list_models(), "dataflow.privacy" in sys.modules)

    @db.model
    class Old:
        name: str

        __dataflow__ = {
            "timestamps": True,
            "retention": {
                "after_days": 1, "field": "created_at", "action": "archive"
            },
        }

    print(db.list_models(), len(db.privacy.archives))

    @db.model
    class Old:
        name: str

    print(len(db.privacy.archives))
    """

    assert run(":memory:", script).splitlines() == [
        "['Plain'] False",
        "['Plain', 'Old'] 1",
        "0",
    ]
