"""Senders of several lanes at one mailbox, and its workers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import Actor, ActorCrash, ActorSystem, Lanes, Overflow, Turn
from dataflow.actors._mailbox import Mailbox
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
        turn_size = 4

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
            await until(lambda: system.tree().children[0].restarts == 1)
            for number in range(5):
                for lane in "ab":
                    ref.send_nowait(made(lane, number))

    assert len(seen) == 10
    for lane in "ab":
        assert [n for each, n in seen if each == lane] == list(range(5))
