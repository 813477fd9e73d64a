"""Crash, cancel and suspend at random: every ask must end, everybody come back.

This found recoveries that got in each other's way. A seed repeats the choices, not
the order in which Trio runs its tasks, so the assertions hold for any order.
"""

from __future__ import annotations

from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorRef,
    ActorSystem,
    Overflow,
    RestartPolicy,
    State,
    Strategy,
)
from dataflow.errors import ActorError

GROUP = RestartPolicy(max_restarts=4, first_delay_s=0)
ROOT = RestartPolicy(max_restarts=100_000, first_delay_s=0)


class Moody(Actor):
    def __init__(self, random: Random, turn_size: int) -> None:
        self.random = random
        self.turn_size = turn_size

    async def setup(self) -> None:
        await checkpoint()
        if self.random.random() < 0.1:
            raise OSError

    async def receive(self, message: object) -> object:
        for _ in range(self.random.randrange(4)):
            await checkpoint()
        mood = self.random.random()
        if mood < 0.05:
            raise ActorCrash
        if mood < 0.15 and self.context.path != "/group/0":
            return await self.context.system.find("/group/0").ask(message)
        return message

    async def teardown(self) -> None:
        await checkpoint()


class Caller:
    """Ask anybody anything, and give up now and then."""

    def __init__(
        self, system: ActorSystem, refs: list[ActorRef], random: Random
    ) -> None:
        self.system = system
        self.refs = refs
        self.random = random
        self.n_ended = 0

    async def run(self, n_asks: int) -> None:
        for number in range(n_asks):
            ref = self.random.choice(self.refs)
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    if self.random.random() < 0.2:
                        tasks.start_soon(self.give_up, scope)
                    await self.ask(ref, number)
            self.n_ended += 1
            if self.random.random() < 0.05:
                await self.system.suspend(ref)
                await checkpoint()
                await self.system.resume(ref)

    async def ask(self, ref: ActorRef, number: int) -> None:
        key = self.random.choice([None, "key"])
        try:
            answer = await ref.ask(number, key=key)
        except ActorError:
            return
        assert answer == number

    async def give_up(self, scope: anyio.CancelScope) -> None:
        for _ in range(self.random.randrange(6)):
            await checkpoint()
        scope.cancel()


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("seed", range(4))
async def test_every_ask_ends_and_every_actor_comes_back(
    strategy: Strategy, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  chaos, not a secret
    with anyio.fail_after(20):
        async with ActorSystem(policy=ROOT) as system:
            group = system.supervisor("group", strategy=strategy, policy=GROUP)
            refs = [
                group.spawn(
                    lambda: Moody(random, random.choice([1, 4])),
                    str(n),
                    mailbox_size=random.choice([1, 3, 64]),
                    overflow=random.choice(list(Overflow)),
                )
                for n in range(5)
            ]
            callers = [Caller(system, refs, random) for _ in range(20)]
            async with anyio.create_task_group() as tasks:
                for caller in callers:
                    tasks.start_soon(caller.run, 20)
            states = {State.RESTARTING}
            while not states <= {State.IDLE, State.RUNNING}:
                await checkpoint()
                states = {each.state for each in system.tree().children[0].children}

            assert [each.n_ended for each in callers] == [20] * 20
