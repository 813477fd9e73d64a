"""How a run ends when it does not simply succeed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import ActorRef, ActorSystem, current_turn
from dataflow.errors import (
    ClosedError,
    DeadlineExceededError,
    MailboxClosedError,
    TenantMismatchError,
    UnknownFieldError,
    WorkflowError,
)
from dataflow.nodes._function import FunctionActor
from dataflow.nodes._node import Host, Node
from dataflow.workflow import WorkflowBuilder, run

Function = Callable[..., object]


class BoomError(Exception):
    pass


async def fail() -> None:
    raise BoomError(1)


class Blocker:
    """A function that waits until released, and notes how it ended."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.released = anyio.Event()
        self.is_cancelled = False
        self.ended = anyio.Event()

    async def __call__(self) -> dict[str, int]:
        self.begun.set()
        try:
            await self.released.wait()
        except BaseException:
            self.is_cancelled = True
            raise
        finally:
            self.ended.set()
        return {"value": 1}


# -- failure --------------------------------------------------------------------------


async def test_a_failing_node_fails_the_run_and_is_named(
    host: Host, builder: WorkflowBuilder
) -> None:
    builder.add_node(fail, "bad")

    with pytest.raises(WorkflowError) as caught:
        await run(host, builder.build(), run_id="r1")
    assert isinstance(caught.value.__cause__, BoomError)
    assert str(caught.value) == "node 'bad' failed: BoomError(1) (run r1)"


async def test_a_failure_cancels_what_is_in_flight_and_starts_nothing_more(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    blocker = Blocker()
    ran: list[int] = []

    async def note(value: int) -> None:
        ran.append(value)

    async def fail_later() -> None:
        await blocker.begun.wait()
        raise BoomError

    builder.add_node(blocker, "slow")
    builder.add_node(fail_later, "bad")
    builder.add_node(note, "after")
    builder.add_connection("slow", "value", "after", "value")
    with anyio.fail_after(10):
        with pytest.raises(WorkflowError):
            await run(host, builder.build())
        await blocker.ended.wait()

    assert blocker.is_cancelled
    assert not ran


async def test_a_failure_that_may_happen_is_a_result_and_skips_what_is_behind(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(fail, "bad", on_error="continue")
    builder.add_node(value, "behind")
    builder.add_node(value, "beside", {"value": 1})
    builder.add_connection("bad", "result", "behind", "value")
    results, _ = await run(host, builder.build())

    assert results["bad"]["success"] is False
    assert isinstance(results["bad"]["error"], BoomError)
    assert "behind" not in results
    assert results["beside"] == {"value": 1}


async def test_an_output_that_is_not_there_fails_the_node_that_needs_it(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "source", {"value": [{"id": 1}]})
    builder.add_node(value, "target")
    builder.add_connection("source", "value.1.id", "target", "value")

    with pytest.raises(WorkflowError) as caught:
        await run(host, builder.build())
    assert isinstance(caught.value.__cause__, UnknownFieldError)
    assert "'target' failed: source.value has no '1': valid" in str(caught.value)


async def test_a_condition_that_raises_fails_the_node_behind_it(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    def condition(found: int) -> bool:
        raise BoomError(found)

    builder.add_node(value, "source", {"value": 1})
    builder.add_node(value, "target", on_error="continue")
    builder.add_connection("source", "value", "target", "value", when=condition)
    results, _ = await run(host, builder.build())

    assert results["target"]["error"].args == (1,)


class ClosedHost:
    """A host that has stopped."""

    def ref_nowait(self, node: Node) -> ActorRef | None:
        return None

    async def ref(self, node: Node) -> ActorRef:
        await checkpoint()
        raise ClosedError("the host")


async def test_a_host_that_has_stopped_fails_the_node(
    builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})

    with pytest.raises(WorkflowError, match="node 'a' failed: the host is closed"):
        await run(ClosedHost(), builder.build())


async def test_actors_that_have_stopped_fail_the_node_and_it_may_be_expected(
    host: Host, builder: WorkflowBuilder, value: Function, system: ActorSystem
) -> None:
    builder.add_node(value, "a", {"value": 1}, on_error="continue")
    workflow = builder.build()
    await run(host, workflow)
    await system.aclose()
    results, _ = await run(host, workflow)

    assert isinstance(results["a"]["error"], MailboxClosedError)


class OneActor:
    """A host with one actor for everything."""

    def __init__(self, system: ActorSystem) -> None:
        self.the_ref = system.spawn(FunctionActor, "one", mailbox_size=1)

    def ref_nowait(self, node: Node) -> ActorRef | None:
        return self.the_ref

    async def ref(self, node: Node) -> ActorRef:
        raise NotImplementedError


async def test_an_actor_that_stops_before_it_has_a_place_fails_the_node(
    builder: WorkflowBuilder, system: ActorSystem, value: Function
) -> None:
    host, blocker = OneActor(system), Blocker()
    builder.add_node(blocker, "in_hand")
    builder.add_node(value, "waits", {"value": 1})
    builder.add_node(value, "has_no_place", {"value": 1}, on_error="continue")
    results: dict[str, Any] = {}

    async def start() -> None:
        done, _ = await run(host, builder.build())
        results.update(done)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(system.stop, host.the_ref)
            await anyio.wait_all_tasks_blocked()
            blocker.released.set()

    assert isinstance(results["has_no_place"]["error"], MailboxClosedError)
    assert results["in_hand"] == results["waits"] == {"value": 1}


# -- deadline -------------------------------------------------------------------------


async def test_a_run_within_its_deadline_succeeds(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})
    deadline = anyio.current_time() + 10
    results, _ = await run(host, builder.build(), deadline=deadline)

    assert results == {"a": {"value": 1}}


async def test_a_deadline_ends_the_run_and_names_the_unfinished_nodes(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    blocker = Blocker()
    builder.add_node(value, "done", {"value": 1})
    builder.add_node(blocker, "slow")
    builder.add_node(value, "after")
    builder.add_node(value, "skipped")
    builder.add_connection("slow", "value", "after", "value")
    builder.add_connection("done", "value", "skipped", "value", when=lambda _: False)
    with anyio.fail_after(10):
        with pytest.raises(DeadlineExceededError) as caught:
            await run(
                host, builder.build(), deadline=anyio.current_time() + 0.02, run_id="r"
            )
        await blocker.ended.wait()

    assert blocker.is_cancelled
    assert caught.value.actor == "'slow', 'after' (run r)"


async def test_a_deadline_that_has_passed_sends_nothing(
    host: Host, builder: WorkflowBuilder, value: Function, awaited: list[str]
) -> None:
    builder.add_node(value, "a", {"value": 1})

    with pytest.raises(DeadlineExceededError):
        await run(host, builder.build(), deadline=anyio.current_time())
    assert not awaited


@pytest.mark.parametrize("on_error", ["fail", "continue"])
async def test_a_node_that_notices_the_deadline_first_ends_the_run_alike(
    host: Host, builder: WorkflowBuilder, on_error: Literal["fail", "continue"]
) -> None:
    deadline = anyio.current_time() + 0.02

    async def work() -> None:
        while anyio.current_time() < deadline:
            pass
        raise DeadlineExceededError("a database")

    builder.add_node(work, "late", on_error=on_error)

    with pytest.raises(DeadlineExceededError, match=r"'late' \(run r\)"):
        await run(host, builder.build(), deadline=deadline, run_id="r")


async def test_a_deadline_of_a_nodes_own_is_an_ordinary_failure(
    host: Host, builder: WorkflowBuilder
) -> None:
    async def work() -> None:
        raise DeadlineExceededError("something else")

    builder.add_node(work, "late")

    with pytest.raises(WorkflowError, match="something else"):
        await run(host, builder.build())


# -- cancellation ---------------------------------------------------------------------


async def test_a_cancelled_caller_cancels_what_is_in_flight(
    host: Host, builder: WorkflowBuilder
) -> None:
    blocker = Blocker()
    builder.add_node(blocker, "slow")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, host, builder.build())
            await blocker.begun.wait()
            tasks.cancel_scope.cancel()
        await blocker.ended.wait()

    assert blocker.is_cancelled


async def test_a_caller_cancelled_while_it_waits_for_a_place_sends_nothing(
    host: Host, builder: WorkflowBuilder
) -> None:
    blockers = [Blocker() for _ in range(8)]
    late = Blocker()
    for index, blocker in enumerate(blockers):
        builder.add_node(blocker, f"slow{index}")
    builder.add_node(late, "late")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, host, builder.build())
            for blocker in blockers:
                await blocker.begun.wait()
            tasks.cancel_scope.cancel()
        for blocker in blockers:
            await blocker.ended.wait()

    assert all(blocker.is_cancelled for blocker in blockers)
    assert not late.begun.is_set()


# -- runs within runs -----------------------------------------------------------------


async def test_a_run_started_by_a_node_inherits_who_asks_and_the_deadline(
    host: Host, builder: WorkflowBuilder
) -> None:
    inner = WorkflowBuilder()
    seen: dict[str, Any] = {}

    async def look() -> None:
        turn = current_turn.get()
        assert turn is not None
        envelope = turn.taken[0]
        seen.update(
            principal=envelope.principal,
            tenant=envelope.tenant,
            deadline=envelope.deadline,
            chain=envelope.chain,
        )

    inner.add_node(look, "look")

    async def nest() -> None:
        with pytest.raises(TenantMismatchError):
            await run(host, inner.build(), tenant="other")
        await run(host, inner.build())

    builder.add_node(nest, "nest")
    deadline = anyio.current_time() + 10
    await run(host, builder.build(), principal="ada", tenant="acme", deadline=deadline)

    assert seen == {
        "principal": "ada",
        "tenant": "acme",
        "deadline": deadline,
        "chain": ("/function-0",),
    }


async def test_a_run_on_its_own_has_no_chain_and_no_deadline(
    host: Host, builder: WorkflowBuilder
) -> None:
    seen: list[Any] = []

    async def look() -> None:
        turn = current_turn.get()
        assert turn is not None
        seen.append((turn.taken[0].chain, turn.taken[0].deadline))

    builder.add_node(look, "look")
    await run(host, builder.build())

    assert seen == [((), math.inf)]
