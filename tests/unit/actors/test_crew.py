"""Several incarnations on one mailbox."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorRef,
    ActorSystem,
    RestartPolicy,
    State,
    Turn,
)
from dataflow.errors import ActorRestartedError, DeadlineExceededError
from dataflow.messages import Envelope

OFTEN = RestartPolicy(max_restarts=100, first_delay_s=0)


class Hall:
    """Where workers meet: who is there, who works, and a door for each message."""

    def __init__(self) -> None:
        self.set_up = 0
        self.torn_down = 0
        self.at_work: list[object] = []
        self.doors: dict[object, anyio.Event] = {}
        self.slept: list[float] = []
        self.turns: list[list[object]] = []

    def door(self, message: object) -> anyio.Event:
        return self.doors.setdefault(message, anyio.Event())

    async def sleep(self, seconds: float) -> None:
        if seconds > Worker.patience_s:  # somebody else's sleep
            await anyio.sleep_forever()
        self.slept.append(seconds)
        await checkpoint()

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await checkpoint()


class Worker(Actor):
    """Works on a message until its door is open."""

    workers = 3
    patience_s = 0.5

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    async def setup(self) -> None:
        self.hall.set_up += 1

    async def receive(self, message: object) -> object:
        self.hall.at_work.append(message)
        try:
            await self.hall.door(message).wait()
        finally:
            self.hall.at_work.remove(message)
        if message == "crash":
            raise ActorCrash
        return message

    async def teardown(self) -> None:
        self.hall.torn_down += 1


class Impatient(Worker):
    patience_s = 0.0


class Grouping(Worker):
    """Works on two messages at once."""

    turn_size = 2
    workers = 2

    async def handle(self, turn: Turn) -> None:
        self.hall.turns.append([each.message for each in turn.taken])
        await super().handle(turn)


def ask(ref: ActorRef, replies: list[object], *messages: object) -> None:
    """Send messages in this order, and note what becomes of each."""

    def note(envelope: Envelope) -> None:
        error = envelope.error
        replies.append(envelope.result if error is None else type(error))

    for message in messages:
        ref.send_nowait(Envelope(message=message, on_done=note))


async def test_a_message_that_waits_for_a_busy_actor_gets_a_worker_of_its_own() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Worker(hall), "it")
            ask(ref, replies, *("slow", "quick"))
            await hall.until(lambda: hall.at_work == ["slow", "quick"])
            hall.door("quick").set()
            await hall.until(lambda: replies == ["quick"])
            hall.door("slow").set()

    assert replies == ["quick", "slow"]
    assert set(hall.slept) == {0.5}
    assert hall.set_up == hall.torn_down == 2


async def test_one_message_at_a_time_has_one_worker_and_no_timer() -> None:
    hall = Hall()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Worker(hall), "it")
            for message in range(5):
                hall.door(message).set()
                await ref.ask(message)
            assert system.tree().children[0].workers == 1

    assert (hall.set_up, hall.slept) == (1, [])


async def test_no_more_workers_come_than_the_actor_allows() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Worker(hall), "it")
            ask(ref, replies, *range(7))
            await hall.until(lambda: len(hall.at_work) == 3)
            await anyio.wait_all_tasks_blocked()
            assert len(hall.at_work) == 3
            snapshot = system.tree().children[0]
            assert (snapshot.workers, snapshot.depth) == (3, 4)
            for message in range(7):
                hall.door(message).set()

    assert sorted(replies, key=str) == list(range(7))


async def test_workers_that_are_needed_again_are_not_made_again() -> None:
    hall = Hall()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Impatient(hall), "it")
            for _ in range(3):
                async with anyio.create_task_group() as tasks:
                    for message in range(3):
                        hall.doors.pop(message, None)
                        tasks.start_soon(ref.ask, message)
                    await hall.until(lambda: len(hall.at_work) == 3)
                    for message in range(3):
                        hall.door(message).set()

    assert hall.set_up == hall.torn_down == 3
    assert hall.slept == []


async def test_a_helper_leaves_what_the_leader_gets_through_in_time() -> None:
    hall, replies = Hall(), list[object]()
    slept = anyio.Event()
    awake = anyio.Event()

    async def sleep(seconds: float) -> None:
        if seconds > Worker.patience_s:
            await anyio.sleep_forever()
        slept.set()
        await awake.wait()

    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            ref = system.spawn(lambda: Worker(hall), "it")
            ask(ref, replies, *range(3))
            await slept.wait()
            for message in range(3):
                hall.door(message).set()
            await hall.until(lambda: len(replies) == 3)
            awake.set()
            await anyio.wait_all_tasks_blocked()

    assert replies == [0, 1, 2]


async def test_what_fills_a_turn_is_not_left_to_wait() -> None:
    hall, replies = Hall(), list[object]()
    seen = 0

    async def sleep(seconds: float) -> None:
        if seconds > Worker.patience_s:
            await anyio.sleep_forever()
        # The leader begins another turn each time somebody looks.
        nonlocal seen
        hall.door(seen).set()
        hall.door(seen + 1).set()
        seen += 2
        await hall.until(lambda: len(hall.turns) > seen // 2)

    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            ref = system.spawn(lambda: Grouping(hall), "it")
            ask(ref, replies, *range(6))
            await hall.until(lambda: len(hall.turns) == 3)
            assert hall.at_work == [2, 4]
            for message in range(6):
                hall.door(message).set()

    assert hall.turns == [[0, 1], [2, 3], [4, 5]]


async def test_a_suspended_actor_has_no_helper_at_work() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with (
            ActorSystem(sleep=hall.sleep) as system,
            anyio.create_task_group() as tasks,
        ):
            ref = system.spawn(lambda: Impatient(hall), "it")
            ask(ref, replies, *(1, 2))
            await hall.until(lambda: len(hall.at_work) == 2)
            tasks.start_soon(system.suspend, ref)
            await anyio.wait_all_tasks_blocked()
            hall.door(1).set()
            hall.door(2).set()
            await hall.until(lambda: system.tree().children[0].state is State.SUSPENDED)
            for message in (3, 4):
                hall.door(message).set()
            ask(ref, replies, 3, 4)
            await anyio.wait_all_tasks_blocked()
            assert sorted(replies, key=str) == [1, 2]
            await system.resume(ref)

    assert sorted(replies, key=str) == [1, 2, 3, 4]


async def test_helpers_finish_what_they_have_when_the_actor_stops() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with (
            ActorSystem(sleep=hall.sleep) as system,
            anyio.create_task_group() as tasks,
        ):
            ref = system.spawn(lambda: Impatient(hall), "it")
            ask(ref, replies, *(1, 2))
            await hall.until(lambda: len(hall.at_work) == 2)
            tasks.start_soon(system.stop, ref)
            hall.door(1).set()
            await hall.until(lambda: replies == [1])
            assert hall.at_work == [2]
            hall.door(2).set()

    assert replies == [1, 2]
    assert hall.torn_down == 2


async def test_a_system_that_ends_at_once_takes_the_helpers_with_it() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        with pytest.raises(KeyError):  # noqa: PT012  # the end of the block counts
            async with ActorSystem(sleep=hall.sleep) as system:
                ref = system.spawn(lambda: Impatient(hall), "it")
                ask(ref, replies, 1, 2)
                await hall.until(lambda: len(hall.at_work) == 2)
                raise KeyError

    assert replies == [ActorRestartedError, ActorRestartedError]
    assert hall.torn_down == 2


async def test_a_helper_that_comes_too_late_does_nothing() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        with pytest.raises(KeyError):  # noqa: PT012  # the end of the block counts
            async with ActorSystem(sleep=hall.sleep) as system:
                ref = system.spawn(lambda: Impatient(hall), "it")
                ask(ref, replies, 1)
                await hall.until(lambda: hall.at_work == [1])
                hall.door(1).set()
                ask(ref, replies, 2)  # which calls a helper
                raise KeyError

    assert len(replies) == 2
    assert hall.set_up == hall.torn_down


@pytest.mark.parametrize("crashing", ["first", "second"])
async def test_a_crash_of_one_worker_is_a_crash_of_all(crashing: str) -> None:
    hall, replies = Hall(), list[object]()
    messages = ["crash", "other"] if crashing == "first" else ["other", "crash"]
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN, sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Impatient(hall), "it")
            ask(ref, replies, *messages)
            await hall.until(lambda: len(hall.at_work) == 2)
            hall.door("crash").set()
            await hall.until(lambda: ActorRestartedError in replies)
            hall.door("other").set()
            await hall.until(lambda: len(replies) == 2)
            hall.door("next").set()
            assert await ref.ask("next") == "next"
            assert system.tree().children[0].restarts == 1

    # A leader that crashes lets its helpers finish; one of theirs ends it at once.
    finished = "other" if crashing == "first" else ActorRestartedError
    assert sorted(map(str, replies)) == sorted(
        map(str, [ActorRestartedError, finished])
    )


async def test_a_helper_whose_setup_fails_crashes_the_actor() -> None:
    hall, replies = Hall(), list[object]()
    made = 0

    class Fragile(Impatient):
        async def setup(self) -> None:
            nonlocal made
            made += 1
            if made == 2:
                raise ActorCrash

    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN, sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Fragile(hall), "it")
            ask(ref, replies, 1)
            await hall.until(lambda: hall.at_work == [1])
            hall.door(2).set()
            ask(ref, replies, 2)
            await hall.until(lambda: len(replies) == 2)

    assert replies == [ActorRestartedError, 2]


async def test_giving_up_a_message_cancels_only_the_worker_that_has_it() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Impatient(hall), "it")
            ask(ref, replies, 1)
            await hall.until(lambda: hall.at_work == [1])
            envelope = Envelope(message=2)
            ref.send_nowait(envelope)
            await hall.until(lambda: hall.at_work == [1, 2])
            ref.abandon(envelope)
            await hall.until(lambda: hall.at_work == [1])
            with pytest.raises(DeadlineExceededError):
                await ref.ask(3, deadline=anyio.current_time() + 0.01)
            hall.door(1).set()

    assert replies == [1]


class Sharing(Grouping):
    """Leaves half of what waits to the second worker."""

    turn_size = 8
    share_from = 4


# Trio draws lots who runs first: a helper that watches already is not free.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_leader_leaves_half_of_what_waits_to_a_free_helper() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Sharing(hall), "it")
            for message in range(20):
                hall.door(message).set()
            ask(ref, replies, 0, 1)  # the second one finds nobody free: a helper comes
            await hall.until(lambda: len(replies) == 2)
            await anyio.wait_all_tasks_blocked()
            hall.turns.clear()
            ask(ref, replies, 2, 3, 4)
            await hall.until(lambda: len(replies) == 5)
            await anyio.wait_all_tasks_blocked()
            ask(ref, replies, 5, 6, 7, 8, 9)
            await hall.until(lambda: len(replies) == 10)

    assert hall.turns == [[2, 3, 4], [5, 6, 7], [8, 9]]
    assert sorted(map(str, replies)) == [str(each) for each in range(10)]


# Trio draws lots who runs first: a helper that watches already is not free.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_leader_takes_all_it_can_while_the_helper_is_at_work() -> None:
    hall, replies = Hall(), list[object]()
    with anyio.fail_after(20):
        async with ActorSystem(sleep=hall.sleep) as system:
            ref = system.spawn(lambda: Sharing(hall), "it")
            for message in (0, 1, 2, 3, 4, 6, 7, 8, 9):
                hall.door(message).set()
            ask(ref, replies, 0, 1)
            await hall.until(lambda: len(replies) == 2)
            await anyio.wait_all_tasks_blocked()
            hall.turns.clear()
            ask(ref, replies, 2, 3, 4, 5)
            await hall.until(lambda: hall.at_work == [5])
            ask(ref, replies, 6, 7, 8, 9)
            await hall.until(lambda: len(replies) == 9)
            hall.door(5).set()

    assert hall.turns == [[2, 3], [4, 5], [6, 7, 8, 9]]
