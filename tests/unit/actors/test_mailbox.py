from __future__ import annotations

import asyncio
from collections import deque

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from dataflow.actors import Overflow
from dataflow.actors._mailbox import Mailbox
from dataflow.errors import MailboxClosedError, MailboxFullError
from dataflow.messages import Envelope


def envelopes(n: int) -> list[Envelope]:
    return [Envelope(message=each) for each in range(n)]


def drain(mailbox: Mailbox) -> list[object]:
    found: list[object] = []
    while (envelope := mailbox.take_nowait()) is not None:
        found.append(envelope.message)
    return found


@given(
    overflow=st.sampled_from([Overflow.DROP_NEWEST, Overflow.DROP_OLDEST]),
    capacity=st.integers(1, 4),
    puts=st.lists(st.booleans(), max_size=40),
)
def test_a_mailbox_is_a_bounded_queue(
    overflow: Overflow, capacity: int, puts: list[bool]
) -> None:
    mailbox = Mailbox("/a", capacity, overflow)
    model: deque[Envelope] = deque()
    for is_put in puts:
        if not is_put:
            assert mailbox.take_nowait() is (model.popleft() if model else None)
            continue
        envelope, expected = Envelope(message=None), None
        if len(model) < capacity:
            model.append(envelope)
        elif overflow is Overflow.DROP_NEWEST:
            expected = envelope
        else:
            expected = model.popleft()
            model.append(envelope)

        assert mailbox.put_nowait(envelope) is expected
        assert len(mailbox) == len(model)


def test_a_mailbox_must_hold_something() -> None:
    with pytest.raises(ValueError, match="at least 1 message, not 0"):
        Mailbox("/a", 0, Overflow.BLOCK)


def test_a_full_mailbox_tells_the_sender_to_wait_or_rejects_it() -> None:
    blocking = Mailbox("/a", 1, Overflow.BLOCK)
    rejecting = Mailbox("/a", 1, Overflow.REJECT)
    for mailbox in (blocking, rejecting):
        mailbox.put_nowait(Envelope(message=0))

    with pytest.raises(anyio.WouldBlock):
        blocking.put_nowait(Envelope(message=1))
    with pytest.raises(MailboxFullError):
        rejecting.put_nowait(Envelope(message=1))


async def test_senders_that_wait_get_their_places_in_order() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    first, *others = envelopes(3)
    taken: list[object] = []
    mailbox.put_nowait(first)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for envelope in others:
                tasks.start_soon(mailbox.put, envelope)
                await anyio.wait_all_tasks_blocked()
            while len(taken) < 3:
                taken.extend(drain(mailbox))
                await checkpoint()

    assert taken == [0, 1, 2]


async def test_a_sender_that_waits_is_not_overtaken() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    first, second, third = envelopes(3)
    mailbox.put_nowait(first)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mailbox.put, second)
            await anyio.wait_all_tasks_blocked()
            assert mailbox.take_nowait() is first
            with pytest.raises(anyio.WouldBlock):
                mailbox.put_nowait(third)

    assert drain(mailbox) == [1]


async def test_a_cancelled_sender_leaves_nothing_behind() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    first, second = envelopes(2)
    mailbox.put_nowait(first)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mailbox.put, second)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert drain(mailbox) == [0]


async def test_a_sender_cancelled_before_it_got_its_place_takes_it_back() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    first, second = envelopes(2)
    mailbox.put_nowait(first)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mailbox.put, second)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            assert mailbox.take_nowait() is first
            await checkpoint_shielded()
            assert drain(mailbox) == []


async def checkpoint_shielded() -> None:
    with anyio.CancelScope(shield=True):
        await anyio.wait_all_tasks_blocked()


async def test_closing_refuses_those_who_wait_and_keeps_what_is_in() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    first, second = envelopes(2)
    mailbox.put_nowait(first)

    async def put() -> None:
        with pytest.raises(MailboxClosedError):
            await mailbox.put(second)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put)
            await anyio.wait_all_tasks_blocked()
            mailbox.close()
            assert not mailbox.is_drained

    assert drain(mailbox) == [0]
    assert mailbox.is_drained


async def test_a_message_wakes_the_reader_but_is_not_handed_over() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    is_awake = anyio.Event()

    async def read() -> None:
        await mailbox.arrival()
        is_awake.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            mailbox.put_nowait(Envelope(message=0))
            # However the reader is stopped now, the message is still there.
            tasks.cancel_scope.cancel()

    assert len(mailbox) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_reader_cancelled_by_asyncio_itself_loses_nothing() -> None:
    """A memory object stream loses the item that it has just handed over."""
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)

    async def read() -> None:
        await mailbox.arrival()

    with anyio.fail_after(20):
        reader = asyncio.create_task(read())
        await anyio.wait_all_tasks_blocked()
        mailbox.put_nowait(Envelope(message=0))
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    assert drain(mailbox) == [0]


async def test_discarding_finds_a_message_wherever_it_is() -> None:
    mailbox = Mailbox("/a", 1, Overflow.BLOCK)
    queued, waiting, next_, stranger = envelopes(4)
    mailbox.put_nowait(queued)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for envelope in (waiting, next_):
                tasks.start_soon(mailbox.put, envelope)
                await anyio.wait_all_tasks_blocked()
            assert mailbox.discard(waiting)
            assert mailbox.discard(queued)
            assert not mailbox.discard(stranger)

    assert drain(mailbox) == [2]
