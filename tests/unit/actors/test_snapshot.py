from __future__ import annotations

import anyio
import pytest

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorSystem,
    RestartPolicy,
    Snapshot,
    State,
    Strategy,
)
from dataflow.actors.supervision._snapshot import TRANSITIONS, Signal
from dataflow.errors import ActorRestartedError
from dataflow.messages import Envelope

OFTEN = RestartPolicy(max_restarts=100, first_delay_s=0)


class Gate(Actor):
    def __init__(self) -> None:
        self.started = anyio.Event()
        self.opened = anyio.Event()

    async def receive(self, message: str) -> str:
        self.started.set()
        if message == "crash":
            raise ActorCrash
        if message == "fail":
            raise ValueError("told to")
        await self.opened.wait()
        return message


def actor(**facts: object) -> Snapshot:
    known = {"kind": "actor", "state": State.RUNNING, "capacity": 64}
    return Snapshot(**{**known, **facts})  # type: ignore[arg-type]


async def test_the_tree_shows_every_actor_from_the_root_down() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            nodes = system.supervisor("nodes", strategy=Strategy.ONE_FOR_ALL)
            system.spawn(Gate, "idle", mailbox_size=8)
            ref = system.spawn(Gate, "User", supervisor=nodes)
            with pytest.raises(ValueError, match="told to"):
                await ref.ask("fail")
            tree = system.tree()

            user = actor(
                name="User", path="/nodes/User", processed=1, failed=1, workers=1
            )
            idle = actor(name="idle", path="/idle", state=State.IDLE, capacity=8)
            assert tree == Snapshot(
                name="",
                path="/",
                kind="supervisor",
                state=State.RUNNING,
                strategy=Strategy.ONE_FOR_ONE,
                children=(
                    Snapshot(
                        name="nodes",
                        path="/nodes",
                        kind="supervisor",
                        state=State.RUNNING,
                        strategy=Strategy.ONE_FOR_ALL,
                        children=(user,),
                    ),
                    idle,
                ),
            )


async def test_a_busy_actor_shows_how_long_and_what_waits() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(lambda: gate, "gate")
            ref.tell_nowait("in hand")
            await gate.started.wait()
            ref.tell_nowait("queued")
            (snapshot,) = system.tree().children
            gate.opened.set()

            assert snapshot.age_s is not None
            assert snapshot.age_s >= 0
            assert snapshot.depth == 1
            assert (await system.health(ref)).age_s is None


async def test_a_message_that_waits_for_its_repetition_counts_as_waiting() -> None:
    waiting = anyio.Event()

    async def sleep(delay_s: float) -> None:
        if delay_s < 1:
            waiting.set()
        await anyio.sleep_forever()

    envelope = Envelope(message="crash", key="key")
    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            system.spawn(Gate, "gate").send_nowait(envelope)
            await waiting.wait()
            (snapshot,) = system.tree().children

            assert snapshot.state is State.RESTARTING
            assert snapshot.depth == 1
            assert snapshot.last_error == "ActorCrash"
            assert system.tree().last_error == "ActorCrash"


async def test_restarts_are_counted() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(Gate, "gate")
            for _ in range(3):
                with pytest.raises(ActorRestartedError):
                    await ref.ask("crash")
            with pytest.raises(ValueError, match="told to"):
                await ref.ask("fail")

            assert (await system.health(ref)).restarts == 3


def test_every_state_but_the_last_can_be_left_and_the_last_be_reached() -> None:
    left = {state for state, _ in TRANSITIONS}

    assert set(State) - left == {State.STOPPED}
    assert {*TRANSITIONS.values(), State.IDLE} == set(State)
    assert {signal for _, signal in TRANSITIONS} == set(Signal)
