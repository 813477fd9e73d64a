from __future__ import annotations

import math
from collections.abc import Callable

import anyio
import pytest

from dataflow.actors import Actor, ActorRef, ActorSystem, MessageAbandonedError, Turn
from dataflow.errors import DeadlineExceededError, DeadlockError, TenantMismatchError
from dataflow.messages import Envelope

Event = dict[str, object]


class Echo(Actor):
    async def receive(self, message: object) -> object:
        return message


class Stuck(Actor):
    """Hang with each message, and tell whether that was cancelled."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.cancelled = anyio.Event()
        self.released = anyio.Event()
        self.turns: list[int] = []

    async def handle(self, turn: Turn) -> None:
        self.turns.append(len(turn))
        self.started.set()
        try:
            await self.released.wait()
        except BaseException:
            self.cancelled.set()
            raise
        for envelope in turn:
            envelope.reply("released")


class StuckTwo(Stuck):
    turn_size = 2


class Forward(Actor):
    """Pass each message on to another actor, which may come later."""

    target: ActorRef

    async def receive(self, message: object) -> object:
        return await self.target.ask(message)


def same(actor: Actor) -> Callable[[], Actor]:
    return lambda: actor


# -- deadlines -----------------------------------------------------------------


async def test_an_ask_gives_up_at_its_deadline_though_the_actor_hangs() -> None:
    stuck = Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            with pytest.raises(DeadlineExceededError) as caught:
                await ref.ask("hello", deadline=anyio.current_time() + 0.02)
            await stuck.cancelled.wait()

            assert caught.value.actor == "/stuck"


async def test_an_ask_gives_up_at_its_deadline_though_it_is_queued() -> None:
    stuck = Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck", mailbox_size=1)
            ref.tell_nowait("in hand")
            await stuck.started.wait()
            for _ in range(2):
                with pytest.raises(DeadlineExceededError):
                    await ref.ask("queued", deadline=anyio.current_time() + 0.01)
            ref.tell_nowait("queued")
            with pytest.raises(DeadlineExceededError):
                await ref.ask("no place", deadline=anyio.current_time() + 0.01)
            stuck.released.set()

    assert stuck.turns == [1, 1]


async def test_an_ask_whose_deadline_has_passed_is_not_sent() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            with pytest.raises(DeadlineExceededError):
                await ref.ask("hello", deadline=anyio.current_time())

            assert system.tree().children[0].processed == 0


async def test_an_ask_in_time_is_answered() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")

            assert await ref.ask("hello", deadline=anyio.current_time() + 60) == "hello"


async def test_work_that_comes_too_late_is_not_begun() -> None:
    done: list[Envelope] = []
    late = Envelope(message="late", on_done=done.append)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            late.deadline = anyio.current_time()
            ref.send_nowait(late)
            await ref.tell("late too", deadline=anyio.current_time())
            await ref.ask("in time", deadline=anyio.current_time() + 60)
            snapshot = await system.health(ref)

            assert (snapshot.expired, snapshot.processed) == (2, 1)
            assert isinstance(late.error, DeadlineExceededError)
            assert done == [late]
            assert [each.message for each in system.dead_letters] == ["late too"]


async def test_an_ask_from_a_handler_inherits_the_earlier_deadline() -> None:
    forward, stuck = Forward(), Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            forward.target = system.spawn(same(stuck), "stuck")
            ref = system.spawn(same(forward), "forward")
            envelope = Envelope(message=1, deadline=anyio.current_time() + 0.02)
            answered = anyio.Event()
            envelope.on_done = lambda _: answered.set()
            ref.send_nowait(envelope)
            await answered.wait()

            assert isinstance(envelope.error, DeadlineExceededError)
            assert envelope.error.actor == "/stuck"


async def test_a_message_from_a_handler_inherits_what_its_turn_agrees_on() -> None:
    class Spy(Actor):
        turn_size = 2

        async def handle(self, turn: Turn) -> None:
            for each in turn:
                each.reply((each.run_id, each.trace_id, each.principal, each.tenant))

    class Relay(Actor):
        turn_size = 2

        async def handle(self, turn: Turn) -> None:
            spy = self.context.system.find("/spy")
            found = await spy.ask("question", principal="relay")
            await spy.tell("told")
            for each in turn:
                each.reply(found)

    def envelope(tenant: str) -> Envelope:
        return Envelope(message=1, run_id="run", principal="alice", tenant=tenant)

    alike = [envelope("a"), envelope("a")]
    mixed = [envelope("a"), envelope("b")]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(Spy, "spy")
            relay = system.spawn(Relay, "relay")
            for each in (*alike, *mixed):
                relay.send_nowait(each)

    assert [each.result for each in alike] == [("run", None, "relay", "a")] * 2
    assert [each.result for each in mixed] == [("run", None, "relay", None)] * 2


# -- call chains ---------------------------------------------------------------


async def test_asking_an_actor_that_waits_is_a_deadlock_at_once() -> None:
    first, second = Forward(), Forward()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(first), "first")
            first.target = system.spawn(same(second), "second")
            second.target = ref
            with pytest.raises(DeadlockError) as caught:
                await ref.ask("hello")

            assert caught.value.actor == "/first"
            assert caught.value.chain == ("/first", "/second")


async def test_asking_oneself_is_a_deadlock() -> None:
    forward = Forward()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = forward.target = system.spawn(same(forward), "self")
            with pytest.raises(DeadlockError):
                await ref.ask("hello")


async def test_a_handler_asks_for_no_other_tenant_than_its_messages() -> None:
    class Switch(Forward):
        async def receive(self, message: object) -> object:
            return await self.target.ask(message, tenant="two")

    switch = Switch()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            switch.target = system.spawn(Echo, "echo")
            ref = system.spawn(same(switch), "switch")
            with pytest.raises(TenantMismatchError):
                await ref.ask("hello", tenant="one")

            assert await ref.ask("hello", tenant="two") == "hello"


async def test_an_actor_may_tell_itself() -> None:
    class Countdown(Actor):
        seen: list[int] = []  # noqa: RUF012  one test, one actor

        async def receive(self, message: int) -> None:
            self.seen.append(message)
            if message:
                await self.context.ref.tell(message - 1)

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Countdown, "countdown")
            await ref.tell(2)
            await anyio.wait_all_tasks_blocked()

    assert Countdown.seen == [2, 1, 0]


async def test_an_envelope_with_the_actor_in_its_chain_is_refused() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            with pytest.raises(DeadlockError):
                ref.send_nowait(Envelope(message=1, chain=("/echo",)))


async def test_a_task_that_outlives_its_turn_may_ask_the_actor() -> None:
    class Starter(Actor):
        def __init__(self) -> None:
            self.answers: list[object] = []

        async def receive(self, message: str) -> str:
            if message == "start":
                tasks.start_soon(self.ask_later)
            return message

        async def ask_later(self) -> None:
            await turn_over.wait()
            await self.context.ref.tell("told later")
            self.answers.append(await self.context.ref.ask("later"))

    starter, turn_over = Starter(), anyio.Event()
    with anyio.fail_after(20):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            await system.spawn(same(starter), "starter").ask("start")
            turn_over.set()

    assert starter.answers == ["later"]


# -- giving up -----------------------------------------------------------------


async def test_cancelling_an_ask_cancels_the_handler_that_serves_it_alone() -> None:
    stuck = Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ref.ask, "hello")
                await stuck.started.wait()
                tasks.cancel_scope.cancel()
            await stuck.cancelled.wait()
            stuck.released.set()

            assert await ref.ask("the next one") == "released"
            assert (await system.health(ref)).restarts == 0


async def test_cancelling_travels_along_the_chain_of_asks() -> None:
    forward, stuck = Forward(), Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            forward.target = system.spawn(same(stuck), "stuck")
            ref = system.spawn(same(forward), "forward")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ref.ask, "hello")
                await stuck.started.wait()
                tasks.cancel_scope.cancel()
            await stuck.cancelled.wait()


async def test_a_cancelled_ask_that_is_queued_is_never_served() -> None:
    stuck = Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            ref.tell_nowait("first")
            await stuck.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ref.ask, "second")
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            depth = system.tree().children[0].depth
            stuck.released.set()
            assert depth == 0

    assert stuck.turns == [1]


async def test_a_cancelled_ask_that_waits_for_a_place_is_withdrawn() -> None:
    stuck = Stuck()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck", mailbox_size=1)
            ref.tell_nowait("in hand")
            await stuck.started.wait()
            ref.tell_nowait("queued")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ref.ask, "waits")
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            stuck.released.set()

    assert stuck.turns == [1, 1]


async def test_one_message_given_up_does_not_cancel_the_others_of_its_turn() -> None:
    stuck = StuckTwo()
    kept, given_up = Envelope(message="kept"), Envelope(message="given up")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            ref.send_nowait(kept)
            ref.send_nowait(given_up)
            await stuck.started.wait()
            ref.abandon(given_up)
            stuck.released.set()

    assert stuck.turns == [2]
    assert not stuck.cancelled.is_set()
    assert kept.result == "released"


async def test_a_turn_is_cancelled_when_its_last_message_is_given_up() -> None:
    stuck = StuckTwo()
    envelopes = [Envelope(message=n) for n in range(2)]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            for envelope in envelopes:
                ref.send_nowait(envelope)
            await stuck.started.wait()
            for envelope in envelopes:
                ref.abandon(envelope)
            await stuck.cancelled.wait()

    assert all(isinstance(each.error, MessageAbandonedError) for each in envelopes)


async def test_an_envelope_given_up_tells_when_nothing_works_on_it_any_more() -> None:
    stuck = Stuck()
    resolved: list[object] = []

    def note(envelope: Envelope) -> None:
        resolved.append((envelope.message, stuck.cancelled.is_set()))

    in_hand, queued = (Envelope(message=n, on_done=note) for n in ("hand", "queue"))
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(stuck), "stuck")
            ref.send_nowait(in_hand)
            ref.send_nowait(queued)
            await stuck.started.wait()
            ref.abandon(queued)
            ref.abandon(in_hand)
            assert resolved == [("queue", False)]
            await stuck.cancelled.wait()

    assert resolved == [("queue", False), ("hand", True)]
    assert "gave it up" in str(queued.error)


async def test_giving_up_what_is_done_changes_nothing() -> None:
    envelope = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            ref.abandon(Envelope(message="never sent"))
            ref.send_nowait(envelope)
            await ref.ask("served after it")
            ref.abandon(envelope)

    assert envelope.result == "hello"
    assert not envelope.is_abandoned


async def test_what_the_sender_gave_up_is_skipped() -> None:
    envelope = Envelope(message="hello", is_abandoned=True)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            ref.send_nowait(envelope)
            await ref.ask("served after it")
            assert (await system.health(ref)).processed == 1

    assert isinstance(envelope.error, MessageAbandonedError)


async def test_an_envelope_that_is_done_is_skipped() -> None:
    envelope = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            ref.send_nowait(envelope)
            envelope.reply("elsewhere")
            await ref.ask("served after it")
            assert (await system.health(ref)).processed == 1

    assert envelope.result == "elsewhere"


async def test_a_handler_that_gives_its_own_turn_up_loses_no_other_message() -> None:
    """The cancellation arrives after the turn it was meant for has ended."""

    class GivesUp(Actor):
        async def handle(self, turn: Turn) -> None:
            for envelope in turn:
                if envelope.message == "give up":
                    self.context.ref.abandon(envelope)
                else:
                    envelope.reply(envelope.message)

    envelopes = [Envelope(message=each) for each in ("give up", "second", "third")]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(GivesUp, "actor")
            for envelope in envelopes:
                ref.send_nowait(envelope)

    assert [each.result for each in envelopes] == [None, "second", "third"]
    assert isinstance(envelopes[0].error, MessageAbandonedError)


# -- the watch -----------------------------------------------------------------


class Looks:
    """Let the watch look as often as a test wants, and then no more."""

    def __init__(self, n_looks: int) -> None:
        self.delays_s: list[float] = []
        self.begin = anyio.Event()
        self.done = anyio.Event()
        self._n_looks = n_looks

    async def sleep(self, delay_s: float) -> None:
        await self.begin.wait()
        self.delays_s.append(delay_s)
        if len(self.delays_s) > self._n_looks:
            self.done.set()
            await anyio.sleep(math.inf)


async def test_old_asks_are_reported_once_with_whom_they_wait_for(
    events: list[Event],
) -> None:
    first, second, stuck = Forward(), Forward(), Stuck()
    looks = Looks(2)
    with anyio.fail_after(20):
        async with (
            ActorSystem(ask_warning_s=0.0, sleep=looks.sleep) as system,
            anyio.create_task_group() as tasks,
        ):
            second.target = system.spawn(same(stuck), "stuck")
            first.target = system.spawn(same(second), "second")
            tasks.start_soon(system.spawn(same(first), "first").ask, "hello")
            await stuck.started.wait()
            looks.begin.set()
            await looks.done.wait()
            tasks.cancel_scope.cancel()

    chain = ("/first", "/second", "/stuck")
    reports = [each for each in events if each["event"] == "ask_waiting"]
    assert [each["actor"] for each in reports] == list(chain)
    assert [each["chain"] for each in reports] == [chain] * 3
    assert all(each["level"] == "warning" for each in reports)


async def test_young_asks_are_not_reported(events: list[Event]) -> None:
    stuck, looks = Stuck(), Looks(2)
    with anyio.fail_after(20):
        async with (
            ActorSystem(ask_warning_s=3600.0, sleep=looks.sleep) as system,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(system.spawn(same(stuck), "stuck").ask, "hello")
            await stuck.started.wait()
            looks.begin.set()
            await looks.done.wait()
            tasks.cancel_scope.cancel()

    assert looks.delays_s == [360.0] * 3
    assert not [each for each in events if each["event"] == "ask_waiting"]
