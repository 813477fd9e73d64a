from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import Actor, ActorCrash, ActorSystem, Reason, State, Turn
from dataflow.errors import ActorRestartedError, ClosedError, MailboxClosedError
from dataflow.messages import Envelope

Event = dict[str, object]


class Worker(Actor):
    """Wait with each message until told to go on; note what happens."""

    def __init__(self, diary: list[str], go_on: anyio.Event) -> None:
        self.diary = diary
        self.go_on = go_on
        self.started = anyio.Event()

    async def receive(self, message: str) -> object:
        self.started.set()
        await self.go_on.wait()
        self.diary.append(message)
        return message

    async def teardown(self) -> None:
        await checkpoint()
        self.diary.append(f"{self.context.path} down")


class Relay(Worker):
    """Ask another actor about each message."""

    target = "/a"

    async def receive(self, message: str) -> object:
        self.started.set()
        await self.go_on.wait()
        return await self.context.system.find(self.target).ask(message)


def same(actor: Actor) -> Callable[[], Actor]:
    return lambda: actor


async def test_the_end_of_the_block_serves_what_is_queued() -> None:
    diary: list[str] = []
    go_on = anyio.Event()
    go_on.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(Worker(diary, go_on)), "a")
            for message in ("one", "two", "three"):
                ref.tell_nowait(message)

    assert diary == ["one", "two", "three", "/a down"]
    assert system.tree().state is State.STOPPED


async def test_actors_stop_in_reverse_start_order_each_with_its_work_done() -> None:
    diary: list[str] = []
    go_on = anyio.Event()
    go_on.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            refs = [system.spawn(same(Worker(diary, go_on)), "a")]
            inner = system.supervisor("inner")
            refs.append(inner.spawn(same(Worker(diary, go_on)), "b"))
            refs.append(system.spawn(same(Worker(diary, go_on)), "c"))
            for ref in refs:
                await ref.ask("hello")
            diary.clear()
            for ref in refs:
                ref.tell_nowait(f"{ref.path} works")
            await system.aclose()

    ends = [each for each in diary if each.endswith("down")]
    assert ends == ["/c down", "/inner/b down", "/a down"]
    for path in ("/a", "/inner/b", "/c"):
        assert diary.index(f"{path} works") < diary.index(f"{path} down")


async def test_while_it_shuts_down_actors_hear_each_other_but_nobody_else() -> None:
    diary: list[str] = []
    go_on = anyio.Event()
    relay = Relay(diary, go_on)
    envelope = Envelope(message="question")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            target = system.spawn(same(Worker(diary, go_on)), "a")
            ref = system.spawn(same(relay), "relay")
            ref.send_nowait(envelope)
            await relay.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.aclose)
                await anyio.wait_all_tasks_blocked()
                for closed in (target, ref):
                    with pytest.raises(MailboxClosedError):
                        await closed.ask("too late")
                with pytest.raises(ClosedError):
                    system.spawn(Actor, "late")
                go_on.set()

    assert envelope.result == "question"
    assert diary == ["question", "/relay down", "/a down"]


async def test_setup_and_teardown_hear_others_while_it_shuts_down() -> None:
    answers: list[object] = []

    class Asks(Actor):
        async def setup(self) -> None:
            answers.append(await self.context.system.find("/a").ask("setup"))

        async def receive(self, message: str) -> None:
            """Do nothing."""

        async def teardown(self) -> None:
            answers.append(await self.context.system.find("/a").ask("teardown"))

    diary: list[str] = []
    go_on = anyio.Event()
    go_on.set()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(same(Worker(diary, go_on)), "a")
            system.spawn(Asks, "asks").tell_nowait("begin")

    assert answers == ["setup", "teardown"]


async def test_an_actor_that_stops_takes_no_messages_from_anyone() -> None:
    class Both(Worker):
        async def receive(self, message: str) -> None:
            self.started.set()
            await self.go_on.wait()
            with pytest.raises(MailboxClosedError):
                self.context.ref.tell_nowait("again")
            self.diary.append("refused")

    go_on = anyio.Event()
    both = Both([], go_on)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(both), "both")
            ref.tell_nowait("hello")
            await both.started.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.stop, ref)
                await anyio.wait_all_tasks_blocked()
                go_on.set()

    assert both.diary == ["refused", "/both down"]


async def test_what_takes_longer_than_the_grace_period_fails(
    events: list[Event],
) -> None:
    diary: list[str] = []
    worker = Worker(diary, anyio.Event())
    in_hand, queued = Envelope(message="in hand"), Envelope(message="queued")
    told = "told"
    with anyio.fail_after(20):
        async with ActorSystem(shutdown_grace_s=0.01) as system:
            ref = system.spawn(same(worker), "a")
            ref.send_nowait(in_hand)
            ref.send_nowait(queued)
            queued.on_done = lambda _: None
            ref.tell_nowait(told)
            await worker.started.wait()

    assert isinstance(in_hand.error, ActorRestartedError)
    assert isinstance(queued.error, MailboxClosedError)
    assert diary == ["/a down"]
    letters = [(each.message, each.reason) for each in system.dead_letters]
    assert letters == [("in hand", Reason.FAILED), ("told", Reason.STOPPED)]
    forced = next(each for each in events if each["event"] == "shutdown_forced")
    assert forced["system"] == "dataflow"


async def test_cancel_cuts_an_orderly_shutdown_short() -> None:
    diary: list[str] = []
    worker = Worker(diary, anyio.Event())
    with anyio.fail_after(20):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            ref = system.spawn(same(worker), "a")
            ref.tell_nowait("hangs")
            await worker.started.wait()
            tasks.start_soon(system.aclose)
            await anyio.wait_all_tasks_blocked()
            assert diary == []
            system.cancel()

    assert diary == ["/a down"]


async def test_cancel_ends_the_block_at_once() -> None:
    diary: list[str] = []
    worker = Worker(diary, anyio.Event())
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(same(worker), "a").tell_nowait("hangs")
            await worker.started.wait()
            system.cancel()
            system.cancel()
            await anyio.sleep_forever()

    assert diary == ["/a down"]


async def test_an_error_in_the_block_leaves_it_as_it_is_and_serves_nothing() -> None:
    diary: list[str] = []
    worker = Worker(diary, anyio.Event())
    queued = Envelope(message="queued")
    error = ValueError("block")
    with anyio.fail_after(20):
        with pytest.raises(ValueError, match="block") as caught:  # noqa: PT012  one block
            async with ActorSystem() as system:
                ref = system.spawn(same(worker), "a")
                ref.tell_nowait("hangs")
                ref.send_nowait(queued)
                await worker.started.wait()
                raise error
        assert caught.value is error

    assert diary == ["/a down"]
    assert isinstance(queued.error, MailboxClosedError)


async def test_a_group_of_errors_leaves_the_block_as_it_is() -> None:
    group = ExceptionGroup("mine", [ValueError(), KeyError()])
    with anyio.fail_after(20):
        with pytest.raises(ExceptionGroup) as caught:
            async with ActorSystem():
                raise group

        assert caught.value is group


async def test_cancelling_the_block_from_outside_serves_nothing() -> None:
    diary: list[str] = []
    worker = Worker(diary, anyio.Event())
    with anyio.fail_after(20):
        with anyio.CancelScope() as scope:
            async with ActorSystem() as system:
                system.spawn(same(worker), "a").tell_nowait("hangs")
                await worker.started.wait()
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught

    assert diary == ["/a down"]


async def test_a_forced_end_keeps_the_order() -> None:
    diary: list[str] = []
    workers = [Worker(diary, anyio.Event()) for _ in range(3)]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            for name, worker in zip("abc", workers, strict=True):
                system.spawn(same(worker), name).tell_nowait("hangs")
                await worker.started.wait()
            system.cancel()
            await anyio.sleep_forever()

    assert diary == ["/c down", "/b down", "/a down"]


async def test_teardowns_that_hang_do_not_add_up() -> None:
    class Hangs(Worker):
        async def teardown(self) -> None:
            await anyio.sleep_forever()

    started = anyio.current_time()
    go_on = anyio.Event()
    go_on.set()
    with anyio.fail_after(10):
        async with ActorSystem(teardown_s=0.2, shutdown_grace_s=0.0) as system:
            inner = system.supervisor("inner")
            for n in range(100):
                await inner.spawn(same(Hangs([], go_on)), f"a{n}").ask("hello")

    assert anyio.current_time() - started < 10  # one after the other: 20


async def test_closing_is_idempotent_and_every_call_waits_for_the_same_end() -> None:
    diary: list[str] = []
    go_on = anyio.Event()
    worker = Worker(diary, go_on)
    ends: list[list[str]] = []

    async def close() -> None:
        await system.aclose()
        ends.append(diary.copy())

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(same(worker), "a").tell_nowait("works")
            await worker.started.wait()
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(close)
                await anyio.wait_all_tasks_blocked()
                go_on.set()
            await system.aclose()
    await system.aclose()

    assert ends == [["works", "/a down"]] * 3


async def test_an_orderly_shutdown_is_shielded_from_cancellation() -> None:
    diary: list[str] = []
    go_on = anyio.Event()
    worker = Worker(diary, go_on)
    with anyio.fail_after(20):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            system.spawn(same(worker), "a").tell_nowait("works")
            await worker.started.wait()
            tasks.start_soon(system.aclose)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            go_on.set()

    assert diary == ["works", "/a down"]


async def test_actors_that_never_started_are_not_started_to_be_stopped() -> None:
    diary: list[str] = []
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(same(Worker(diary, anyio.Event())), "a")

    assert diary == []


async def test_an_actor_killed_before_its_task_ran_fails_its_messages() -> None:
    envelope = Envelope(message="hello")
    diary: list[str] = []
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(Worker(diary, anyio.Event())), "a")
            ref.send_nowait(envelope)
            system.cancel()

    assert isinstance(envelope.error, MailboxClosedError)
    assert diary == []


async def test_setup_that_hangs_is_cancelled_by_a_forced_end() -> None:
    started = anyio.Event()

    class Slow(Worker):
        async def setup(self) -> None:
            started.set()
            await anyio.sleep_forever()

    diary: list[str] = []
    envelope = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(Slow(diary, anyio.Event())), "slow")
            ref.send_nowait(envelope)
            await started.wait()
            system.cancel()

    assert diary == []
    assert isinstance(envelope.error, MailboxClosedError)


async def test_a_crash_in_the_orderly_end_is_no_reason_to_restart() -> None:
    class Crashes(Worker):
        async def receive(self, message: str) -> str:
            self.diary.append(message)
            raise ActorCrash

    diary: list[str] = []
    envelopes = [Envelope(message=each) for each in ("first", "second")]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(same(Crashes(diary, anyio.Event())), "a")
            for envelope in envelopes:
                ref.send_nowait(envelope)

    assert diary == ["first", "/a down"]
    assert isinstance(envelopes[0].error, ActorRestartedError)
    assert isinstance(envelopes[1].error, MailboxClosedError)


async def test_a_message_that_may_be_repeated_fails_with_the_actor() -> None:
    started = anyio.Event()

    class Hangs(Actor):
        async def handle(self, turn: Turn) -> None:
            started.set()
            await anyio.sleep_forever()

    envelope = Envelope(message="hello", key="key")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            system.spawn(Hangs, "a").send_nowait(envelope)
            await started.wait()
            system.cancel()

    assert isinstance(envelope.error, MailboxClosedError)
