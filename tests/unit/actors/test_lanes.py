"""Senders of several lanes at one mailbox, and its workers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import Actor, ActorCrash, ActorSystem, Lanes, Overflow, Turn
from dataflow.actors._mailbox import Mailbox
from dataflow.errors import MailboxClosedError
from dataflow.messages import Envelope

BY_TENANT = Lanes(attrgetter("tenant"))


def made(lane: str | None, message: object = None) -> Envelope:
    return Envelope(message=message, tenant=lane)


def mailbox_of(capacity: int, overflow: Overflow = Overflow.BLOCK) -> Mailbox:
    return Mailbox("/a", capacity, overflow, lanes=BY_TENANT)


def drained(mailbox: Mailbox) -> list[str | None]:
    found: list[str | None] = []
    while (envelope := mailbox.take_nowait()) is not None:
        found.append(envelope.tenant)
    return found


def test_lanes_take_turns_whatever_one_has_sent() -> None:
    mailbox = mailbox_of(10)
    for lane in "aaaaab":
        mailbox.put_nowait(made(lane))

    assert drained(mailbox) == list("abaaaa")


def test_a_full_mailbox_has_a_place_for_a_lane_that_has_none_in_it() -> None:
    mailbox = mailbox_of(4)
    for lane in "aaaa":
        mailbox.put_nowait(made(lane))
    mailbox.put_nowait(made("b"))
    mailbox.put_nowait(made("b"))

    for lane in "ab":
        with pytest.raises(anyio.WouldBlock):
            mailbox.put_nowait(made(lane))
    assert mailbox.waiting() == {"a": 4, "b": 2}
    assert mailbox.count({"a"}) == 2


def test_a_mailbox_holds_twice_its_capacity_and_one_of_each_lane_at_most() -> None:
    mailbox = mailbox_of(4)
    lanes = [str(number) for number in range(20)]
    for lane in lanes * 4:
        try:
            mailbox.put_nowait(made(lane))
        except anyio.WouldBlock:
            continue

    assert len(mailbox) <= 2 * 4 + len(lanes)


def test_a_lane_drops_its_own_oldest() -> None:
    mailbox = mailbox_of(2, Overflow.DROP_OLDEST)
    first = made("a")
    mailbox.put_nowait(first)
    mailbox.put_nowait(made("a"))
    mailbox.put_nowait(made("b"))

    assert mailbox.put_nowait(made("a")) is first
    assert mailbox.waiting() == {"a": 2, "b": 1}


async def test_lanes_take_turns_at_the_door_and_keep_their_order() -> None:
    mailbox = mailbox_of(1)
    mailbox.put_nowait(made("a", 0))
    mailbox.put_nowait(made("b", 0))
    taken: list[tuple[str | None, object]] = []
    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            for lane, number in [("a", 1), ("a", 2), ("a", 3), ("b", 1)]:
                tasks.start_soon(mailbox.put, made(lane, number))
                await anyio.wait_all_tasks_blocked()
            assert mailbox.waiting() == {"a": 4, "b": 2}
            with pytest.raises(anyio.WouldBlock):
                mailbox.put_nowait(made("a", 4))
            while len(taken) < 6:
                envelope = mailbox.take_nowait()
                if envelope is not None:
                    taken.append((envelope.tenant, envelope.message))
                await checkpoint()

    assert taken.index(("b", 1)) < taken.index(("a", 2))
    for lane in "ab":
        assert [n for each, n in taken if each == lane] == sorted(
            n for each, n in taken if each == lane and isinstance(n, int)
        )


class Worker(Actor):
    """Works on a message until it may end."""

    workers = 2
    patience_s = 0.0

    def __init__(self, at_work: list[object], ends: dict[object, anyio.Event]) -> None:
        self.at_work = at_work
        self.ends = ends

    async def receive(self, message: object) -> object:
        self.at_work.append(message)
        await self.ends.setdefault(message, anyio.Event()).wait()
        self.at_work.remove(message)
        return message


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await checkpoint()


async def test_the_last_free_worker_is_for_a_lane_that_has_none() -> None:
    at_work: list[object] = []
    ends: dict[object, anyio.Event] = {}
    with anyio.fail_after(5):
        async with ActorSystem() as system:
            ref = system.spawn(
                lambda: Worker(at_work, ends), "it", mailbox_size=8, lanes=BY_TENANT
            )
            for number in range(3):
                ref.send_nowait(made("a", number))
            await until(lambda: at_work == [0])
            await anyio.wait_all_tasks_blocked()
            assert at_work == [0]
            assert system.tree().children[0].lanes == {"a": 2}
            ref.send_nowait(made("b", "b"))
            await until(lambda: at_work == [0, "b"])
            for each in (0, 1, 2, "b"):
                ends.setdefault(each, anyio.Event()).set()

    # At its end the mailbox is closed, and nothing is held back any more.
    assert at_work == []


async def test_messages_of_all_lanes_survive_a_restart_in_their_order() -> None:
    seen: list[tuple[Hashable, object]] = []

    class Fragile(Actor):
        async def handle(self, turn: Turn) -> None:
            if turn.taken[0].message == "crash":
                raise ActorCrash
            for each in turn:
                seen.append((each.tenant, each.message))
                each.reply(None)

    with anyio.fail_after(5):
        async with ActorSystem() as system:
            ref = system.spawn(Fragile, "it", mailbox_size=32, lanes=BY_TENANT)
            ref.send_nowait(made("a", "crash"))
            for number in range(5):
                for lane in "ab":
                    ref.send_nowait(made(lane, number))
            await until(lambda: len(seen) == 10)
            assert system.tree().children[0].restarts == 1

    for lane in "ab":
        assert [n for each, n in seen if each == lane] == list(range(5))


def test_without_lanes_all_messages_are_of_one() -> None:
    mailbox = Mailbox("/a", 2, Overflow.BLOCK)
    assert mailbox.lane_of(made("a")) is None
    assert mailbox.waiting() == {}


class Doorkeeper:
    """Lets one message in at a time; notes what it is told."""

    def __init__(self) -> None:
        self.is_limited = True
        self.is_busy = False
        self.free = anyio.Event()
        self.told: list[str] = []

    def admit_nowait(self, envelope: Envelope) -> bool:
        if self.is_busy:
            return False
        self.is_busy = True
        self.free = anyio.Event()
        envelope.ticket = self
        return True

    async def admit(self, envelope: Envelope) -> None:
        while not self.admit_nowait(envelope):
            await self.free.wait()

    def withdraw(self, envelope: Envelope) -> None:
        envelope.ticket = None
        self.told.append("withdrawn")
        self._leave()

    def begin(self) -> None:
        self.told.append("begun")

    def close(self) -> None:
        self.told.append("closed")
        self._leave()

    def _leave(self) -> None:
        self.is_busy = False
        self.free.set()


async def test_what_is_let_in_is_begun_and_closed_once() -> None:
    at_work: list[object] = []
    ends: dict[object, anyio.Event] = {}
    keeper = Doorkeeper()
    lanes = Lanes(attrgetter("tenant"), admission=keeper)
    with anyio.fail_after(5):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            ref = system.spawn(lambda: Worker(at_work, ends), "it", lanes=lanes)
            for number in range(3):
                ends[number] = anyio.Event()
                tasks.start_soon(ref.ask, number)
            await until(lambda: len(at_work) == 1)
            with pytest.raises(anyio.WouldBlock):
                ref.send_nowait(made("a", 9))
            for each in ends.values():
                each.set()

    assert keeper.told == ["begun", "closed"] * 3


async def test_what_reaches_no_actor_is_withdrawn() -> None:
    keeper = Doorkeeper()
    lanes = Lanes(attrgetter("tenant"), admission=keeper)
    ends: dict[object, anyio.Event] = {}
    with anyio.fail_after(5):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            ref = system.spawn(
                lambda: Worker([], ends), "it", mailbox_size=1, lanes=lanes
            )
            await system.suspend(ref)
            ref.send_nowait(made("a", 0))
            keeper.is_busy = False
            with pytest.raises(anyio.WouldBlock):
                ref.send_nowait(made("a", 1))
            assert keeper.told == ["withdrawn"]
            tasks.start_soon(ref.send, made("a", 1))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            ends[0] = anyio.Event()
            ends[0].set()
            await system.resume(ref)

    assert keeper.told.count("withdrawn") >= 2


async def test_one_that_waited_to_be_let_in_finds_the_actor_stopped_or_dropping() -> (
    None
):
    keeper = Doorkeeper()
    lanes = Lanes(attrgetter("tenant"), admission=keeper)
    refused: list[type[BaseException]] = []
    with anyio.fail_after(5):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            ref = system.spawn(Actor, "it", lanes=lanes)
            keeper.is_busy = True

            async def send() -> None:
                try:
                    await ref.send(made("a", 0))
                except MailboxClosedError as error:
                    refused.append(type(error))

            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            await system.stop(ref)
            keeper.is_busy = False
            keeper.free.set()

    assert refused == [MailboxClosedError]
    assert keeper.told == ["withdrawn"]


async def test_what_the_actor_took_before_its_sender_knew_is_not_withdrawn() -> None:
    keeper = Doorkeeper()
    lanes = Lanes(attrgetter("tenant"), admission=keeper)
    with anyio.fail_after(5):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            ref = system.spawn(Actor, "it", mailbox_size=1, lanes=lanes)
            slot = system._slot(ref)  # its turn, at that very moment
            assert slot is not None
            await system.suspend(ref)
            ref.send_nowait(made("a", 0))
            keeper.is_busy = False
            tasks.start_soon(ref.send, made("a", 1))
            await anyio.wait_all_tasks_blocked()
            backlog = slot._backlog
            tasks.cancel_scope.cancel()
            first = backlog.mailbox.take_nowait()
            second = backlog.next_turn(1)
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            for each in (first, *(second or ())):
                assert each is not None
                each.fail(ValueError())
            await system.resume(ref)

    # Once when there was no place at first, and never again.
    assert keeper.told == ["withdrawn", "begun", "closed", "closed"]
