from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorSystem,
    RestartPolicy,
    State,
    Strategy,
)
from dataflow.errors import ActorRestartedError, DeadlockError
from dataflow.messages import Envelope

OFTEN = RestartPolicy(max_restarts=100, first_delay_s=0)


class Gate(Actor):
    """Wait with each message until the gate is opened; note what was served."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.started = anyio.Event()
        self.seen: list[object] = []

    async def receive(self, message: object) -> object:
        self.started.set()
        await self.opened.wait()
        if message == "crash":
            raise ActorCrash
        self.seen.append(message)
        return message


def same(actor: Actor) -> Callable[[], Actor]:
    return lambda: actor


async def test_a_suspended_actor_lets_messages_wait() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await ref.ask(1)
            await system.suspend(ref)
            ref.tell_nowait(2)
            await anyio.wait_all_tasks_blocked()
            snapshot = system.tree().children[0]
            assert (snapshot.state, snapshot.depth) == (State.SUSPENDED, 1)
            assert gate.seen == [1]
            await system.resume(ref)
            await ref.ask(3)

            assert gate.seen == [1, 2, 3]


async def test_suspending_waits_for_what_is_in_hand() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            for n in range(3):
                ref.tell_nowait(n)
            await gate.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.suspend, ref)
                await anyio.wait_all_tasks_blocked()
                assert gate.seen == []
                gate.opened.set()

            assert gate.seen == [0]
            await system.resume(ref)
    assert gate.seen == [0, 1, 2]


async def test_system_messages_are_not_held_up_by_a_full_mailbox() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate", mailbox_size=2)
            ref.tell_nowait(0)
            await gate.started.wait()
            ref.tell_nowait(1)
            ref.tell_nowait(2)
            gate.opened.set()
            snapshot = await system.health(ref)

            assert (snapshot.processed, snapshot.depth) == (1, 2)


async def test_a_system_message_wakes_an_idle_actor() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await ref.ask(1)
            await anyio.wait_all_tasks_blocked()

            assert (await system.health(ref)).processed == 1


async def test_health_is_not_told_while_the_actor_is_stuck() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            ref.tell_nowait("stuck")
            await gate.started.wait()
            with anyio.move_on_after(0.01) as scope:
                await system.health(ref)
            assert scope.cancelled_caught
            gate.opened.set()

            assert (await system.health(ref)).processed == 1


async def test_a_suspended_actor_tells_its_health() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await ref.ask(1)
            await system.suspend(ref)

            assert (await system.health(ref)).state is State.SUSPENDED


async def test_an_actor_can_be_suspended_before_its_first_message() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await system.suspend(ref)
            assert (await system.health(ref)).state is State.IDLE
            ref.tell_nowait(1)
            await anyio.wait_all_tasks_blocked()
            assert system.tree().children[0].state is State.SUSPENDED
            await system.resume(ref)
            await ref.ask(2)

            assert gate.seen == [1, 2]


async def test_suspending_twice_and_resuming_twice_is_doing_it_once() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await ref.ask(1)
            for _ in range(2):
                await system.suspend(ref)
            for _ in range(2):
                await system.resume(ref)

            assert await ref.ask(2) == 2


async def test_an_actor_stays_suspended_across_a_restart() -> None:
    gates = Gate(), Gate()
    for gate in gates:
        gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            group = system.supervisor(
                "group", strategy=Strategy.ONE_FOR_ALL, policy=OFTEN
            )
            ref, other = (
                group.spawn(same(gate), name)
                for gate, name in zip(gates, "ab", strict=True)
            )
            await ref.ask(0)
            await system.suspend(ref)
            with pytest.raises(ActorRestartedError):
                await other.ask("crash")
            await other.ask(0)
            assert system.tree().children[0].children[0].restarts == 1
            ref.tell_nowait(1)
            await anyio.wait_all_tasks_blocked()
            assert gates[0].seen == [0]
            await system.resume(ref)
            await ref.ask(2)

            assert gates[0].seen == [0, 1, 2]


async def test_stopping_a_suspended_actor_serves_what_it_has() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await ref.ask(1)
            await system.suspend(ref)
            ref.tell_nowait(2)
            await system.stop(ref)

    assert gate.seen == [1, 2]


async def test_suspending_while_it_stops_changes_nothing() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            for n in range(3):
                ref.tell_nowait(n)
            await gate.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.stop, ref)
                await anyio.wait_all_tasks_blocked()
                await system.suspend(ref)
                await system.resume(ref)
                gate.opened.set()

    assert gate.seen == [0, 1, 2]


async def test_system_messages_to_an_actor_that_has_stopped_do_nothing() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            await system.stop(ref)
            await system.suspend(ref)
            await system.resume(ref)
            with pytest.raises(LookupError, match="/gate has stopped"):
                await system.health(ref)


async def test_whoever_waits_for_a_system_message_is_released_by_the_end() -> None:
    gate = Gate()
    envelope = Envelope(message="stuck")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate")
            ref.send_nowait(envelope)
            await gate.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.suspend, ref)
                await anyio.wait_all_tasks_blocked()
                system.cancel()

    assert isinstance(envelope.error, ActorRestartedError)


async def test_an_actor_cannot_wait_for_its_own_pause() -> None:
    class Tired(Actor):
        async def receive(self, message: object) -> None:
            await system.suspend(self.context.ref)

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            with pytest.raises(DeadlockError):
                await system.spawn(Tired, "tired").ask("sleep")


async def test_an_idle_permanent_actor_can_be_told_to_end_its_life() -> None:
    class Finisher(Gate):
        async def setup(self) -> None:
            self.opened.set()
            lives.append(self)

    lives: list[Finisher] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(Finisher, "finisher")
            await ref.ask(1)
            await anyio.wait_all_tasks_blocked()
            lives[0].context.finish()
            await anyio.wait_all_tasks_blocked()
            await ref.ask(2)

    assert [each.seen for each in lives] == [[1], [2]]


async def test_an_order_given_while_an_actor_looks_for_work_is_not_overlooked() -> None:
    class Finisher(Gate):
        async def setup(self) -> None:
            self.opened.set()
            lives.append(self)

    lives: list[Finisher] = []
    late = Envelope(message="late", on_done=lambda _: lives[0].context.finish())
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(Finisher, "finisher")
            await ref.ask(1)
            await anyio.wait_all_tasks_blocked()
            late.deadline = anyio.current_time()
            ref.send_nowait(late)
            while len(lives) < 2:
                await checkpoint()
