from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import (
    Actor,
    ActorSystem,
    Overflow,
    Reason,
    Turn,
    UnansweredError,
    current_turn,
)
from dataflow.errors import (
    ClosedError,
    MailboxClosedError,
    MailboxFullError,
    MessageDroppedError,
)
from dataflow.messages import Envelope


class Echo(Actor):
    async def receive(self, message: object) -> object:
        if isinstance(message, Exception):
            raise message
        return message


class Gate(Actor):
    """Wait with each message until the gate is opened."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.seen: list[object] = []

    async def receive(self, message: object) -> object:
        await self.opened.wait()
        self.seen.append(message)
        return message


def same(actor: Actor) -> Callable[[], Actor]:
    """Make a factory of one actor, so that a test can look into it."""
    return lambda: actor


async def test_an_actor_replies_to_an_ask() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            assert await system.spawn(Echo, "echo").ask("hello") == "hello"


async def test_an_error_of_the_handler_fails_its_message_only() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo")
            with pytest.raises(KeyError, match="wrong"):
                await ref.ask(KeyError("wrong"))

            assert await ref.ask("hello") == "hello"
            assert (await system.health(ref)).restarts == 0


async def test_an_actor_without_a_handler_says_so_to_the_sender() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            with pytest.raises(NotImplementedError):
                await system.spawn(Actor, "bare").ask("hello")


async def test_messages_of_one_sender_are_served_in_order() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate", mailbox_size=4)
            for n in range(200):
                await ref.tell(n)

    assert gate.seen == list(range(200))


async def test_nothing_of_an_actor_exists_before_its_first_message() -> None:
    made: list[str] = []

    def factory() -> Actor:
        made.append("echo")
        return Echo()

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(factory, "echo")
            await anyio.wait_all_tasks_blocked()
            assert made == []
            await ref.ask(1)
            await ref.ask(2)

            assert made == ["echo"]


async def test_setup_runs_before_the_first_message_and_teardown_at_the_end() -> None:
    seen: list[str] = []

    class Diary(Actor):
        async def setup(self) -> None:
            await checkpoint()
            seen.append("setup")

        async def receive(self, message: str) -> None:
            seen.append(message)

        async def teardown(self) -> None:
            await checkpoint()
            seen.append("teardown")

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(Diary, "diary").tell_nowait("message")

    assert seen == ["setup", "message", "teardown"]


async def test_an_actor_knows_its_place_before_setup() -> None:
    class Parent(Actor):
        async def setup(self) -> None:
            self.child = self.context.system.spawn(Echo, "child")

        async def receive(self, message: str) -> object:
            assert self.context.path == self.context.ref.path
            return await self.context.system.find("/child").ask(message)

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            assert await system.spawn(Parent, "parent").ask("hello") == "hello"


async def test_an_actor_may_stop_another_one() -> None:
    class Stopper(Actor):
        async def receive(self, message: str) -> None:
            await self.context.system.stop(self.context.system.find(message))

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            echo = system.spawn(Echo, "echo")
            await system.spawn(Stopper, "stopper").ask("/echo")
            with pytest.raises(MailboxClosedError):
                await echo.ask("hello")


async def test_context_variables_of_the_first_sender_do_not_stay_with_the_actor() -> (
    None
):
    sender: ContextVar[str] = ContextVar("sender", default="nobody")

    class Spy(Actor):
        async def receive(self, message: object) -> str:
            return sender.get()

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Spy, "spy")
            sender.set("alice")

            assert await ref.ask("who?") == "nobody"


# -- turns ---------------------------------------------------------------------


async def test_messages_that_wait_share_a_turn_up_to_its_size() -> None:
    sizes: list[int] = []

    class Batch(Actor):
        turn_size = 4

        async def handle(self, turn: Turn) -> None:
            sizes.append(len(turn))
            for envelope in turn:
                envelope.reply(None)

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Batch, "batch")
            for n in range(10):
                ref.tell_nowait(n)

    assert sizes == [4, 4, 2]


async def test_the_default_handler_serves_a_turn_message_by_message() -> None:
    class Batch(Echo):
        turn_size = 8

    envelopes = [Envelope(message=each) for each in (1, ValueError("two"), 3)]
    envelopes.append(Envelope(message=4, is_abandoned=True))
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Batch, "batch")
            for envelope in envelopes:
                ref.send_nowait(envelope)

    assert [each.result for each in envelopes] == [1, None, 3, None]
    assert str(envelopes[1].error) == "two"


async def test_what_a_handler_leaves_open_fails_by_name() -> None:
    class Forgetful(Actor):
        async def handle(self, turn: Turn) -> None:
            """Answer nothing."""

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            with pytest.raises(UnansweredError, match="/forgetful returned without"):
                await system.spawn(Forgetful, "forgetful").ask("hello")


async def test_an_error_of_handle_fails_what_is_left_of_the_turn() -> None:
    class Half(Actor):
        turn_size = 2

        async def handle(self, turn: Turn) -> None:
            turn.envelopes[0].reply("first")
            raise ValueError("second")

    first, second = Envelope(message=1), Envelope(message=2)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Half, "half")
            ref.send_nowait(first)
            ref.send_nowait(second)

    assert first.result == "first"
    assert str(second.error) == "second"


async def test_an_attempt_is_counted_with_each_delivery() -> None:
    envelope = Envelope(message=1)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            await system.spawn(Echo, "echo").send(envelope)

    assert envelope.attempt == 1


async def test_a_busy_actor_lets_others_run_in_between() -> None:
    served: list[object] = []

    class Busy(Actor):
        async def receive(self, message: object) -> None:
            served.append(message)

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Busy, "busy", mailbox_size=1000)
            for n in range(1000):
                ref.tell_nowait(n)
            while not served:
                await checkpoint()

            # Two bursts: Trio runs the tasks of one round in any order.
            assert len(served) <= 128


# -- full mailboxes ------------------------------------------------------------


async def test_block_lets_the_sender_wait_for_a_place() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(gate), "gate", mailbox_size=1)
            ref.tell_nowait("in hand")
            await anyio.wait_all_tasks_blocked()
            ref.tell_nowait("queued")
            with pytest.raises(MailboxFullError):
                ref.tell_nowait("no place")
            with pytest.raises(anyio.WouldBlock):
                ref.send_nowait(Envelope(message="no place"))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ref.tell, "waits")
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ref.ask, "waits too")
                await anyio.wait_all_tasks_blocked()
                gate.opened.set()

    assert gate.seen == ["in hand", "queued", "waits", "waits too"]


async def test_reject_refuses_at_once() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(
                same(gate), "gate", mailbox_size=1, overflow=Overflow.REJECT
            )
            ref.tell_nowait("queued")
            with pytest.raises(MailboxFullError):
                await ref.ask("no place")
            with pytest.raises(MailboxFullError):
                await ref.tell("no place")
            with pytest.raises(MailboxFullError):
                ref.tell_nowait("no place")
            gate.opened.set()

    assert gate.seen == ["queued"]
    assert system.dead_letters.total == 0


async def test_drop_newest_drops_the_message_itself() -> None:
    gate = Gate()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(
                same(gate), "gate", mailbox_size=1, overflow=Overflow.DROP_NEWEST
            )
            ref.tell_nowait("queued")
            with pytest.raises(MessageDroppedError):
                await ref.ask("dropped")
            gate.opened.set()
            dropped = (await system.health(ref)).dropped
            assert dropped == 1

    (letter,) = system.dead_letters
    assert gate.seen == ["queued"]
    assert (letter.message, letter.reason) == ("dropped", Reason.DROPPED)
    assert isinstance(letter.error, MessageDroppedError)


async def test_drop_oldest_makes_a_place_for_the_newest() -> None:
    gate = Gate()
    oldest = Envelope(message="oldest")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(
                same(gate), "gate", mailbox_size=1, overflow=Overflow.DROP_OLDEST
            )
            ref.send_nowait(oldest)
            ref.tell_nowait("newest")
            gate.opened.set()

    assert gate.seen == ["newest"]
    assert isinstance(oldest.error, MessageDroppedError)
    assert [each.message for each in system.dead_letters] == ["oldest"]


async def test_a_sender_whose_messages_are_dropped_still_lets_others_run() -> None:
    gate = Gate()
    gate.opened.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(
                same(gate), "gate", mailbox_size=1, overflow=Overflow.DROP_OLDEST
            )
            while not gate.seen:
                await ref.tell("again")


# -- messages that nobody waits for --------------------------------------------


async def test_a_failed_tell_is_a_dead_letter() -> None:
    error = ValueError("told")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            await system.spawn(Echo, "echo").tell(error)

    (letter,) = system.dead_letters
    assert letter.error is error
    assert letter.reason is Reason.FAILED
    assert letter.actor == "/echo"
    assert letter.attempts == 1


async def test_a_failed_ask_is_not_a_dead_letter() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            with pytest.raises(ValueError, match="asked"):
                await system.spawn(Echo, "echo").ask(ValueError("asked"))

    assert system.dead_letters.total == 0


# -- names ---------------------------------------------------------------------


async def test_a_name_can_be_used_again_after_a_stop() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            old = system.spawn(Echo, "echo")
            with pytest.raises(ValueError, match="/echo exists already"):
                system.spawn(Echo, "echo")
            await old.ask(1)
            await system.stop(old)
            new = system.spawn(Echo, "echo")

            assert await new.ask(2) == 2
            with pytest.raises(MailboxClosedError):
                await old.ask(3)


@pytest.mark.parametrize("name", ["", "a/b"])
async def test_a_name_must_be_a_part_of_a_path(name: str) -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            with pytest.raises(ValueError, match="cannot be part of a path"):
                system.spawn(Echo, name)


async def test_an_actor_is_found_by_its_path() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            nodes = system.supervisor("nodes")
            ref = system.spawn(Echo, "User", supervisor=nodes)

            assert ref.path == "/nodes/User"
            assert repr(ref) == "ActorRef('/nodes/User')"
            assert repr(nodes) == "SupervisorRef('/nodes')"
            assert system.find("/nodes/User") is ref
            for path in ("/nodes", "/nodes/Order", "/nodes/User/create", "/"):
                with pytest.raises(LookupError, match=f"no actor '{path}'"):
                    system.find(path)


async def test_spawning_needs_a_running_system() -> None:
    system = ActorSystem("mine")
    with pytest.raises(RuntimeError, match="mine has no event loop yet"):
        system.spawn(Echo, "echo")
    await system.aclose()
    system.cancel()
    with anyio.fail_after(20):
        async with system:
            """Stop at once."""
    with pytest.raises(ClosedError):
        system.spawn(Echo, "echo")
    with pytest.raises(ClosedError, match="mine"):
        async with system:
            pytest.fail("started twice")


async def test_the_turn_of_the_running_code_can_be_asked_for() -> None:
    class Self(Actor):
        async def receive(self, message: str) -> bool:
            turn = current_turn.get()
            return turn is not None and turn.envelopes[0].message == message

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            assert await system.spawn(Self, "self").ask("hello")
    assert current_turn.get() is None
