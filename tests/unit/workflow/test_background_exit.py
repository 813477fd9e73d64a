"""How a program ends that used the background host: always, and in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import multiprocessing, queue, sys, threading
from contextlib import asynccontextmanager, suppress

import anyio

from dataflow.actors import ActorSystem
from dataflow.errors import ClosedError
from dataflow.nodes._actor_pool import ActorPool
from dataflow.nodes._function import FunctionActor
from dataflow.workflow import LocalRuntime, WorkflowBuilder, plug_in


class Host:
    def __init__(self, system):
        spawn = lambda number: system.spawn(FunctionActor, f"f{number}")
        self.ref_nowait = lambda node, ref=ActorPool(spawn).ref: ref


@asynccontextmanager
async def host():
    # Like a connection of aiosqlite: a thread that is not a daemon, until closed.
    work = queue.SimpleQueue()
    thread = threading.Thread(target=work.get, daemon=False)
    thread.start()
    try:
        async with ActorSystem("test") as system:
            yield Host(system)
    finally:
        work.put(None)
        thread.join()
        print("closed", flush=True)


def execute(function):
    builder = WorkflowBuilder()
    builder.add_node(function, "a")
    return LocalRuntime().execute(builder.build())[0]["a"]["result"]


async def answer():
    return 42


begun = threading.Event()


async def wait():
    print("begun", flush=True)
    begun.set()
    try:
        await anyio.sleep_forever()
    finally:
        print("cancelled", flush=True)


plug_in(host=host)
"""


def start(code: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(  # noqa: S603
        # Python 3.12 and later warn of any fork with threads.
        [sys.executable, "-Werror", "-Wignore:This process", "-c", PROGRAM + code],
        cwd=root,
        env={"PYTHONPATH": str(root / ".dev")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(program: subprocess.Popen[str]) -> tuple[list[str], str, int]:
    with program:
        try:
            out, error = program.communicate(timeout=20)
        finally:
            program.kill()
    return out.split(), error, program.returncode


def test_a_program_closes_the_host_when_it_ends() -> None:
    assert finish(start("print(execute(answer))")) == (["42", "closed"], "", 0)


def test_a_program_that_ends_by_an_error_closes_the_host_too() -> None:
    assert finish(start("execute(answer); raise SystemExit(3)")) == (["closed"], "", 3)


def test_a_run_that_another_thread_waits_for_does_not_keep_the_program() -> None:
    out, _, code = finish(
        start(
            "def attempt():\n"
            "    with suppress(ClosedError):\n"
            "        execute(wait)\n"
            "threading.Thread(target=attempt, daemon=True).start()\n"
            "begun.wait()"
        )
    )

    assert (out, code) == (["begun", "cancelled", "closed"], 0)


def test_a_host_that_does_not_close_is_cancelled_within_bounds() -> None:
    code = """
from dataflow.workflow import _background

_background._CLOSE_S = 0.1

@asynccontextmanager
async def stuck():
    async with host() as made:
        try:
            yield made
        finally:
            await anyio.sleep_forever()

plug_in(host=stuck)
print(execute(answer))
"""

    out, _, status = finish(start(code))

    assert (out, status) == (["42", "closed"], 0)


def test_ctrl_c_cancels_the_run_and_is_raised_at_once() -> None:
    program = start(
        "try:\n    execute(wait)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        "print(execute(answer), flush=True)"
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGINT)
    out, error, code = finish(program)

    assert sorted(out) == ["42", "cancelled", "closed", "interrupted"]
    assert (error, code) == ("", 0)


def test_a_forked_child_gets_a_host_of_its_own_and_both_end() -> None:
    code = """
def child():
    print(execute(answer) + 1, flush=True)

print(execute(answer), flush=True)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
print(execute(answer) + 2, flush=True)
sys.exit(process.exitcode)
"""

    out, error, status = finish(start(code))

    assert out == ["42", "43", "closed", "44", "closed"]
    assert (error, status) == ("", 0)
