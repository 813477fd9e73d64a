from __future__ import annotations

import anyio
import pytest

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorSystem,
    MessageAbandonedError,
    Reason,
    RestartPolicy,
    State,
    Turn,
)
from dataflow.errors import (
    ActorRestartedError,
    DeadlineExceededError,
    PoisonMessageError,
    RestartLimitError,
)
from dataflow.messages import Envelope

Event = dict[str, object]

OFTEN = RestartPolicy(max_restarts=100, first_delay_s=0)
"""Restart at once, and as often as a test needs."""


class Fragile(Actor):
    """Crash when told to; note every life and every message."""

    seen: list[object]

    def __init__(self, seen: list[object]) -> None:
        self.seen = seen

    async def setup(self) -> None:
        self.seen.append("setup")

    async def receive(self, message: object) -> object:
        self.seen.append(message)
        if message == "crash":
            raise ActorCrash(message)
        return message

    async def teardown(self) -> None:
        self.seen.append("teardown")


class FragileBatch(Fragile):
    turn_size = 8

    async def handle(self, turn: Turn) -> None:
        self.seen.append(" ".join(each.message for each in turn))
        if any(each.message == "crash" for each in turn):
            raise ActorCrash("crash")
        for each in turn:
            each.reply(each.message)


class Waiting:
    """Let an actor wait for its restart until a test has looked at it."""

    def __init__(self) -> None:
        self.begun, self.over = anyio.Event(), anyio.Event()

    async def sleep(self, delay_s: float) -> None:
        if delay_s == 360.0:  # the watch of asks
            await anyio.sleep_forever()
        self.begun.set()
        await self.over.wait()


async def test_a_crash_fails_the_message_in_hand_with_its_cause() -> None:
    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Fragile(seen), "fragile")
            with pytest.raises(ActorRestartedError) as caught:
                await ref.ask("crash")

            assert isinstance(caught.value.__cause__, ActorCrash)
            assert caught.value.actor == "/fragile"
            assert await ref.ask("hello") == "hello"
    assert seen == ["setup", "crash", "teardown", "setup", "hello", "teardown"]


async def test_the_message_in_hand_fails_before_the_teardown_is_over() -> None:
    released = anyio.Event()

    class Slow(Actor):
        async def receive(self, message: object) -> None:
            raise ActorCrash

        async def teardown(self) -> None:
            await released.wait()

    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            with pytest.raises(ActorRestartedError):
                await system.spawn(Slow, "slow").ask("hello")
            released.set()


async def test_an_actor_says_which_errors_crash_it() -> None:
    class Picky(Fragile):
        crash_on: tuple[type[Exception], ...] = (ConnectionError,)

        async def receive(self, message: object) -> object:
            if isinstance(message, Exception):
                raise message
            return message

    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Picky(seen), "picky")
            with pytest.raises(ActorCrash):
                await ref.ask(ActorCrash())
            assert seen == ["setup"]
            with pytest.raises(ActorRestartedError):
                await ref.ask(ConnectionResetError())
            await ref.ask("hello")

            assert seen == ["setup", "teardown", "setup"]


async def test_queued_messages_survive_a_restart() -> None:
    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Fragile(seen), "fragile")
            for message in ("crash", "second", "third"):
                ref.tell_nowait(message)
            await ref.ask("last")

    messages = ["second", "third", "last"]
    assert seen == ["setup", "crash", "teardown", "setup", *messages, "teardown"]


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param(Envelope(message="crash", is_idempotent=True), id="idempotent"),
        pytest.param(Envelope(message="crash", key="key"), id="key"),
    ],
)
async def test_a_message_that_may_be_repeated_is_delivered_again_first(
    envelope: Envelope,
) -> None:
    class Recovers(Fragile):
        async def receive(self, message: object) -> object:
            self.seen.append(message)
            if self.seen.count("crash") == 1:
                raise ActorCrash
            return message

    seen: list[object] = []
    repeated = Envelope(
        message=envelope.message,
        is_idempotent=envelope.is_idempotent,
        key=envelope.key,
    )
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Recovers(seen), "recovers")
            ref.send_nowait(repeated)
            await ref.ask("queued")

    served = ["crash", "queued", "teardown"]
    assert seen == ["setup", "crash", "teardown", "setup", *served]
    assert repeated.result == "crash"
    assert repeated.attempt == 2


async def test_a_message_that_crashes_each_time_is_poison() -> None:
    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Fragile(seen), "fragile")
            with pytest.raises(PoisonMessageError) as caught:
                await ref.ask("crash", idempotent=True)

            assert await ref.ask("hello") == "hello"
            assert caught.value.attempts == 3
            assert isinstance(caught.value.__cause__, ActorCrash)
    (letter,) = system.dead_letters
    assert seen.count("crash") == 3
    assert (letter.message, letter.reason) == ("crash", Reason.POISON)
    assert letter.attempts == 3


async def test_the_patience_with_poison_can_be_set() -> None:
    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN, poison_after=1) as system:
            ref = system.spawn(lambda: Fragile(seen), "fragile")
            with pytest.raises(PoisonMessageError):
                await ref.ask("crash", key="key")

    assert seen.count("crash") == 1


async def test_a_poisonous_message_does_not_take_its_turn_with_it() -> None:
    seen: list[object] = []
    envelopes = [
        Envelope(message=each, is_idempotent=True) for each in ("a", "crash", "b")
    ]
    fragile = Envelope(message="once")
    served = anyio.Event()
    envelopes[-1].on_done = lambda _: served.set()
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: FragileBatch(seen), "batch")
            for envelope in (*envelopes, fragile):
                ref.send_nowait(envelope)
            await served.wait()

    turns = [each for each in seen if each not in {"setup", "teardown"}]
    assert turns == ["a crash b once", "a", "crash", "crash", "b"]
    assert [each.result for each in envelopes] == ["a", None, "b"]
    assert isinstance(envelopes[1].error, PoisonMessageError)
    assert isinstance(fragile.error, ActorRestartedError)


async def test_a_message_given_up_in_a_crash_is_not_delivered_again() -> None:
    seen: list[object] = []
    started = anyio.Event()

    class Slow(Fragile):
        async def handle(self, turn: Turn) -> None:
            started.set()
            turn.taken[0].is_abandoned = True
            await super().handle(turn)
            raise ActorCrash

    class Fast(Fragile):
        """What comes after the first life."""

    lives = iter([Slow, Fast])
    envelope = Envelope(message="hello", is_idempotent=True)
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: next(lives)(seen), "actor")
            ref.send_nowait(envelope)
            await started.wait()
            await ref.ask("next")

    assert seen == ["setup", "teardown", "setup", "next", "teardown"]
    assert "gave it up" in str(envelope.error)


async def test_what_was_answered_before_the_crash_stays_answered() -> None:
    class Late(Actor):
        async def handle(self, turn: Turn) -> None:
            turn.envelopes[0].reply("done")
            raise ActorCrash

    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            assert await system.spawn(Late, "late").ask("hello", key="key") == "done"

            assert (await system.health(system.find("/late"))).failed == 0


async def test_an_error_in_setup_is_a_crash_and_no_message_is_lost() -> None:
    tries: list[str] = []

    class Shy(Fragile):
        async def setup(self) -> None:
            tries.append("setup")
            if len(tries) < 3:
                raise OSError

    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Shy(seen), "shy")
            assert await ref.ask("hello") == "hello"

            assert (await system.health(ref)).restarts == 2
    assert seen == ["hello", "teardown"]


async def test_an_error_of_the_factory_is_a_crash() -> None:
    seen: list[object] = []
    tries: list[str] = []

    def factory() -> Actor:
        tries.append("factory")
        if len(tries) == 1:
            raise OSError
        return Fragile(seen)

    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            assert await system.spawn(factory, "late").ask("hello") == "hello"

    assert len(tries) == 2


async def test_an_error_in_teardown_is_only_reported(events: list[Event]) -> None:
    class Untidy(Fragile):
        async def teardown(self) -> None:
            raise OSError

    seen: list[object] = []
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Untidy(seen), "untidy")
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")

            assert await ref.ask("hello") == "hello"
    failed = [each for each in events if each["event"] == "teardown_failed"]
    assert [each["actor"] for each in failed] == ["/untidy"] * 2
    assert failed[0]["error"] == "OSError"


async def test_a_teardown_that_hangs_is_cut_short(events: list[Event]) -> None:
    class Hangs(Fragile):
        async def teardown(self) -> None:
            await anyio.sleep_forever()

    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN, teardown_s=0.01) as system:
            ref = system.spawn(lambda: Hangs([]), "hangs")
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")

            assert await ref.ask("hello") == "hello"
    assert "teardown_timed_out" in [each["event"] for each in events]


async def test_restarts_are_reported_without_the_message(events: list[Event]) -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            ref = system.spawn(lambda: Fragile([]), "fragile")
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")
            await ref.ask("hello")

    facts = {"actor": "/fragile", "attempt": 1, "delay_s": 0.0, "error": "ActorCrash"}
    assert events == [
        {"level": "warning", "event": "actor_restarting", **facts},
        {
            "level": "info",
            "event": "actor_restarted",
            "actor": "/fragile",
            "restarts": 1,
        },
        {
            "level": "info",
            "event": "actor_stopped",
            "actor": "/fragile",
            "processed": 2,
            "last_error": "ActorCrash",
        },
    ]


async def test_an_actor_waits_before_it_comes_back() -> None:
    seen: list[object] = []
    waiting = Waiting()
    with anyio.fail_after(20):
        async with ActorSystem(ask_warning_s=3600.0, sleep=waiting.sleep) as system:
            ref = system.spawn(lambda: Fragile(seen), "fragile")
            ref.tell_nowait("crash")
            await waiting.begun.wait()
            assert system.tree().children[0].state is State.RESTARTING
            assert seen == ["setup", "crash", "teardown"]
            waiting.over.set()
            assert await ref.ask("hello") == "hello"


async def test_a_base_exception_is_not_the_actors_to_survive() -> None:
    class Signal(BaseException):
        """Such as an interrupt from the keyboard."""

    class Hit(Actor):
        async def receive(self, message: str) -> None:
            if message == "hit":
                raise Signal

    with anyio.fail_after(20):
        with pytest.raises(Signal):  # noqa: PT012  the block is the statement
            async with ActorSystem(policy=OFTEN) as system:
                ref = system.spawn(Hit, "hit")
                await ref.ask("hello")
                await ref.ask("hit")


async def test_a_message_to_be_repeated_can_be_given_up_meanwhile() -> None:
    seen: list[object] = []
    first, second = (Envelope(message="crash", key=key) for key in ("1", "2"))
    waiting = Waiting()
    with anyio.fail_after(20):
        async with ActorSystem(ask_warning_s=3600.0, sleep=waiting.sleep) as system:
            ref = system.spawn(lambda: FragileBatch(seen), "batch")
            ref.send_nowait(first)
            ref.send_nowait(second)
            await waiting.begun.wait()
            ref.abandon(first)
            assert isinstance(first.error, MessageAbandonedError)
            second.deadline = anyio.current_time()
            waiting.over.set()
            assert await ref.ask("hello") == "hello"

    assert isinstance(second.error, DeadlineExceededError)
    assert seen.count("crash") == 0


async def test_what_is_done_already_is_no_dead_letter_at_the_end() -> None:
    waiting = Waiting()
    envelope = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem(ask_warning_s=3600.0, sleep=waiting.sleep) as system:
            ref = system.spawn(lambda: Fragile([]), "fragile")
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")
            await waiting.begun.wait()
            ref.send_nowait(envelope)
            envelope.reply("elsewhere")

    assert system.dead_letters.total == 0


async def test_too_many_crashes_end_the_system_with_the_last_one() -> None:
    policy = RestartPolicy(max_restarts=2, first_delay_s=0)
    with anyio.fail_after(20):
        with pytest.raises(RestartLimitError) as caught:  # noqa: PT012  one block
            async with ActorSystem(policy=policy) as system:
                ref = system.spawn(lambda: Fragile([]), "fragile")
                for _ in range(3):
                    ref.tell_nowait("crash")
                await anyio.sleep_forever()

    assert caught.value.actor == "/fragile"
    assert (caught.value.restarts, caught.value.window_s) == (2, 5.0)
    assert isinstance(caught.value.__cause__, ActorCrash)
