"""Runtimes, and the background host below them."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from dataflow.actors import current_turn
from dataflow.errors import ClosedError, DeadlineExceededError, WorkflowError
from dataflow.nodes._node import Host
from dataflow.workflow import (
    PARAMETER,
    AsyncLocalRuntime,
    LocalRuntime,
    Workflow,
    WorkflowBuilder,
    call_background,
    call_background_sync,
    close_background,
    current_host,
    hosting,
    plug_in,
)
from dataflow.workflow._background import _process
from dataflow.workflow._plugs import plugs

Function = Callable[..., object]
ONE = {"a": {"value": 1}}
MakeHost = Callable[[], AbstractAsyncContextManager[Host]]


@pytest.fixture(autouse=True)
def background(make_host: MakeHost) -> Iterator[list[str]]:
    """Plug in a host, and note when one starts and stops."""
    seen: list[str] = []

    @asynccontextmanager
    async def noted() -> AsyncGenerator[Host]:
        async with make_host() as host:
            seen.append("started")
            yield host
        seen.append("stopped")

    before = plugs.host
    plug_in(host=noted)
    yield seen
    close_background()
    plug_in(host=before)


@pytest.fixture
def echo(value: Function) -> Workflow:
    builder = WorkflowBuilder()
    builder.add_node(value, "a", {"value": PARAMETER})
    return builder.build()


def one(function: Function) -> Workflow:
    builder = WorkflowBuilder()
    builder.add_node(function, "a")
    return builder.build()


# -- from synchronous code ------------------------------------------------------------


def test_a_workflow_runs_from_synchronous_code(echo: Workflow) -> None:
    results, run_id = LocalRuntime().execute(echo, ONE, run_id="r")

    assert results == {"a": {"value": 1}}
    assert run_id == "r"


def test_all_runtimes_share_one_host(echo: Workflow, background: list[str]) -> None:
    for _ in range(3):
        LocalRuntime().execute(echo, ONE)

    assert background == ["started"]


def test_several_threads_may_run_workflows_at_once(
    echo: Workflow, background: list[str]
) -> None:
    runtime = LocalRuntime()

    def execute(number: int) -> object:
        return runtime.execute(echo, {"a": {"value": number}})[0]["a"]["value"]

    with ThreadPoolExecutor(8) as threads:
        values = list(threads.map(execute, range(40)))

    assert values == list(range(40))
    assert background == ["started"]


def test_a_sync_function_may_run_a_workflow_itself(echo: Workflow) -> None:
    def nest() -> dict[str, Any]:
        return LocalRuntime().execute(echo, {"a": {"value": 7}})[0]

    results, _ = LocalRuntime().execute(one(nest))

    assert results["a"] == {"a": {"value": 7}}


def test_a_run_from_a_sync_function_is_still_for_whom_the_first_one_was() -> None:
    seen: dict[str, object] = {}

    async def look() -> None:
        turn = current_turn.get()
        assert turn is not None
        envelope = turn.taken[0]
        seen.update(principal=envelope.principal, tenant=envelope.tenant)

    def nest() -> None:
        LocalRuntime().execute(one(look))

    LocalRuntime().execute(one(nest), principal="ada", tenant="acme", timeout_s=5)

    assert seen == {"principal": "ada", "tenant": "acme"}


async def test_a_workflow_runs_where_an_event_loop_is_running(echo: Workflow) -> None:
    results, _ = LocalRuntime().execute(echo, ONE)

    assert results == {"a": {"value": 1}}


def test_errors_reach_the_caller_as_they_are() -> None:
    async def fail() -> None:
        msg = "no"
        raise LookupError(msg)

    with pytest.raises(WorkflowError) as caught:
        LocalRuntime().execute(one(fail))
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_run_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DeadlineExceededError, match="'a'"):
        LocalRuntime().execute(one(anyio.sleep_forever), timeout_s=0.02)


def test_a_closed_runtime_refuses_and_others_go_on(echo: Workflow) -> None:
    with LocalRuntime() as runtime:
        runtime.execute(echo, ONE)

    with pytest.raises(ClosedError, match="LocalRuntime is closed"):
        runtime.execute(echo, ONE)
    assert LocalRuntime().execute(echo, ONE)[0] == ONE


def test_a_builder_instead_of_a_workflow_is_refused() -> None:
    with pytest.raises(TypeError, match=r"not WorkflowBuilder: use build\(\)"):
        LocalRuntime().execute(WorkflowBuilder())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_settings_that_mean_nothing_here_are_refused(echo: Workflow) -> None:
    with pytest.raises(TypeError, match="enable_async"):
        LocalRuntime(enable_async=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="task_manager"):
        LocalRuntime().execute(echo, task_manager=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_a_call_from_the_background_itself_is_refused_not_hung(echo: Workflow) -> None:
    async def nest() -> None:
        LocalRuntime().execute(echo, {"a": {"value": 7}})

    with pytest.raises(WorkflowError, match="await it instead"):
        LocalRuntime().execute(one(nest))


# -- from asynchronous code -----------------------------------------------------------


async def test_async_code_without_a_host_runs_on_the_background_host(
    echo: Workflow, background: list[str]
) -> None:
    with anyio.fail_after(20):
        results, _ = await AsyncLocalRuntime().execute_workflow_async(echo, ONE)

    assert results == {"a": {"value": 1}}
    assert background == ["started"]


async def test_async_code_runs_on_the_host_of_its_event_loop(
    echo: Workflow, background: list[str], host: Host, awaited: list[str]
) -> None:
    runtime = AsyncLocalRuntime()
    with hosting(host), anyio.fail_after(20):
        results, _ = await runtime.execute(echo, ONE, timeout_s=1)

    assert results == {"a": {"value": 1}}
    assert awaited == ["_value"]
    assert not background


async def test_a_node_in_the_background_runs_workflows_there(
    echo: Workflow, background: list[str]
) -> None:
    async def nest() -> object:
        return await AsyncLocalRuntime().execute(echo, {"a": {"value": 7}})

    with anyio.fail_after(20):
        results, _ = await run_sync(LocalRuntime().execute, one(nest))

    assert results["a"]["result"][0] == {"a": {"value": 7}}
    assert background == ["started"]


async def test_the_host_entered_last_serves_and_need_not_leave_first(
    host: Host, make_host: MakeHost
) -> None:
    async with make_host() as other:
        outer, inner = hosting(host), hosting(other)
        assert current_host() is None
        with outer:
            inner.__enter__()
            assert current_host() is other
        assert current_host() is other
        inner.__exit__(None, None, None)
        assert current_host() is None


async def test_a_cancelled_caller_cancels_the_run_in_the_background() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncLocalRuntime().execute, one(wait))
        await run_sync(begun.wait, 2)
        tasks.cancel_scope.cancel()

    assert await run_sync(ended.wait, 2)


async def test_a_function_is_called_with_the_background_host() -> None:
    async def call(host: Host, number: int, *, more: int) -> tuple[str, int]:
        return type(host).__name__, number + more

    with anyio.fail_after(20):
        assert await call_background(call, 1, more=2) == ("FunctionHost", 3)
    assert call_background_sync(call, 1, more=3) == ("FunctionHost", 4)


# -- how the background ends ----------------------------------------------------------


def test_closing_ends_what_runs_and_the_next_call_starts_anew(
    echo: Workflow, background: list[str]
) -> None:
    begun = threading.Event()

    async def wait() -> None:
        begun.set()
        await anyio.sleep_forever()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(LocalRuntime().execute, one(wait))
        assert begun.wait(2)
        close_background()
        with pytest.raises(ClosedError, match="the background host is closed"):
            running.result(2)
    close_background()

    assert background == ["started", "stopped"]
    assert LocalRuntime().execute(echo, ONE)[0] == ONE
    assert background == ["started", "stopped", "started"]


def test_a_call_that_comes_too_late_is_refused(echo: Workflow) -> None:
    LocalRuntime().execute(echo, ONE)
    background = _process.background()
    close_background()

    async def call(host: Host) -> None:
        await checkpoint()

    with pytest.raises(ClosedError):
        background.submit(call)


def test_a_host_that_cannot_start_fails_the_call_and_is_tried_again(
    echo: Workflow,
) -> None:
    working = plugs.host

    @asynccontextmanager
    async def broken() -> AsyncGenerator[Host]:
        msg = "no database"
        raise ConnectionError(msg)
        yield  # type: ignore[unreachable]

    plug_in(host=broken)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="no database"):
            LocalRuntime().execute(echo, ONE)
    close_background()
    plug_in(host=working)

    assert LocalRuntime().execute(echo, ONE)[0] == ONE


def test_a_host_that_dies_is_the_cause_of_the_error_and_is_replaced(
    echo: Workflow, make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    working = plugs.host
    die = threading.Event()

    @asynccontextmanager
    async def mortal() -> AsyncGenerator[Host]:
        async def watch() -> None:
            await run_sync(die.wait, 2)
            msg = "gave up"
            raise ConnectionError(msg)

        async with make_host() as host, anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            yield host

    async def wait() -> None:
        die.set()
        await anyio.sleep_forever()

    plug_in(host=mortal)
    with pytest.raises(ClosedError) as caught:
        LocalRuntime().execute(one(wait))
    plug_in(host=working)

    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert LocalRuntime().execute(echo, ONE)[0] == ONE
    assert "background_host_failed" in caplog.text


def test_without_a_host_plugged_in_the_error_says_so(echo: Workflow) -> None:
    from dataflow.workflow._plugs import _no_host  # noqa: PLC0415

    plug_in(host=_no_host)
    with pytest.raises(RuntimeError, match="nothing can run workflows yet"):
        LocalRuntime().execute(echo, ONE)
