"""The pace of long work beside calls of other tenants, with a clock of the test's."""

from __future__ import annotations

import math

import anyio
import pytest

from dataflow.messages import CrossTenant, Envelope, Operation, Request, Scope
from dataflow.nodes import Limits, TenantLimits
from dataflow.nodes.limits import Desk, Pace
from dataflow.nodes.limits._pace import CROWDED_S, GIVEN, LOOK_S, YOUNG_S, SharedPace

MANY, FEW = 1_000, 64


class Clock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now


class Hall:
    """A desk, and the way in to one mailbox."""

    def __init__(self, weight: float = 1) -> None:
        self.clock = Clock()
        limits = Limits(TenantLimits(weight=weight), clock=self.clock.time)
        self.desk = Desk(limits, anyio.Event, lambda call: call())
        lanes = self.desk.lanes(has_tenants=True)
        assert lanes.admission is not None
        self.door = lanes.admission

    def call(self, tenant: str, scope: Scope | None = None) -> Envelope:
        request = Request(
            node="NoteReadNode",
            model="Note",
            operation=Operation.READ,
            parameters={"tenant_id": tenant},
        )
        envelope = Envelope(message=request, scope=scope)
        assert self.door.admit_nowait(envelope)
        return envelope

    def answer(self, envelope: Envelope) -> None:
        envelope.reply(None)

    def later(self, seconds: float) -> None:
        self.clock.now += seconds


def test_nothing_is_counted_while_nobody_has_a_pace_to_keep() -> None:
    hall = Hall()
    seen = [hall.door.is_limited]
    with hall.desk.pace("a"), hall.desk.pace("b"):
        seen.append(hall.door.is_limited)
    seen.append(hall.door.is_limited)

    assert seen == [False, True, False]


def test_work_of_nobody_goes_on_at_full_pace() -> None:
    hall = Hall()
    with hall.desk.pace(None) as pace:
        assert type(pace) is Pace
        assert not hall.door.is_limited
        assert not pace.gives_way()
        assert pace.at_once(MANY, FEW) == MANY


def test_pieces_are_small_for_a_while_after_calls_of_others() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        hall.answer(hall.call("a"))
        assert pace.at_once(MANY, FEW) == MANY
        hall.answer(hall.call("b"))
        hall.answer(hall.call("a"))
        assert pace.at_once(MANY, FEW) == FEW
        assert pace.at_once(FEW - 1, FEW) == FEW - 1
        hall.later(CROWDED_S)
        assert pace.at_once(MANY, FEW) == MANY


@pytest.mark.parametrize("calls", ["b", "ab", "ba", "aba", "bca", "bac", "cab"])
def test_whoever_called_last_is_told_from_the_others(calls: str) -> None:
    hall = Hall()
    with hall.desk.pace("a"):
        for name in calls:
            hall.later(1.0)
            hall.call(name)
    for tenant in "abc":
        theirs = [n for n, name in enumerate(calls, 1) if name != tenant]
        # Of three, what was before the last two calls is no longer known.
        expected = 100.0 + theirs[-1] if theirs else -math.inf
        assert hall.desk.seen(tenant) == expected


def test_work_waits_until_young_calls_of_others_are_answered() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        own = hall.call("a")
        assert not pace.gives_way()
        theirs = hall.call("b"), hall.call("c")
        assert pace.gives_way()
        hall.answer(theirs[0])
        assert pace.gives_way()
        hall.answer(theirs[1])
        assert not pace.gives_way()
        hall.answer(own)


def test_work_does_not_wait_for_what_takes_the_database_long() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        hall.call("b")
        assert pace.gives_way()
        hall.later(2 * YOUNG_S)
        assert not pace.gives_way()


def test_what_is_done_across_tenants_is_waited_for_by_nobody() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        reason = CrossTenant(reason="figures")
        hall.call("b", Scope(cross_tenant=reason))
        assert not pace.gives_way()
        assert pace.at_once(MANY, FEW) == MANY


def share_beside_calls(hall: Hall, piece_s: float) -> float:
    """Return for how many seconds work waits for each that it takes."""
    worked_s = waited_s = 0.0
    with hall.desk.pace("a") as pace:
        for _ in range(20_000):
            hall.call("b")
            if pace.gives_way():
                hall.later(LOOK_S)
                waited_s += LOOK_S
            else:
                hall.later(piece_s)
                worked_s += piece_s
    return waited_s / worked_s


@pytest.mark.parametrize("piece_s", [0.0003, 0.001])
def test_work_has_its_share_of_the_time_however_many_call(piece_s: float) -> None:
    assert share_beside_calls(Hall(), piece_s) == pytest.approx(GIVEN, rel=0.1)


def test_work_of_a_tenant_of_more_weight_has_a_larger_share() -> None:
    hall = Hall(weight=10)
    assert share_beside_calls(hall, 0.001) == pytest.approx(GIVEN / 10, rel=0.1)


def test_what_was_not_waited_for_is_no_debt_for_ever() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        hall.later(3_600.0)
        waited = 0
        hall.call("b")
        while pace.gives_way():
            hall.later(LOOK_S)
            hall.call("b")
            waited += 1

    assert waited * LOOK_S < 0.1


@pytest.mark.anyio
async def test_going_on_waits_and_leaves_nothing_behind_if_cancelled() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        theirs = hall.call("b")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await pace.go_on()
        assert scope.cancelled_caught
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pace.go_on)
            await anyio.wait_all_tasks_blocked()
            hall.answer(theirs)

        assert isinstance(pace, SharedPace)
        assert not pace.gives_way()


class Others:
    """Have calls in hand, or none, look by look."""

    def __init__(self, looks: list[bool]) -> None:
        self.looks = looks

    def seen(self, tenant: str) -> float:
        del tenant
        return 100.0

    def is_asked(self, tenant: str) -> bool:
        del tenant
        return self.looks.pop(0)

    def busy(self, tenant: str) -> float:
        del tenant
        return 0.0


@pytest.mark.anyio
async def test_work_goes_on_only_when_those_who_were_answered_have_run() -> None:
    others = Others([True, False, True, True, False, False])
    await SharedPace(others, "a", Clock().time).go_on()

    assert not others.looks


def test_a_call_counts_as_waited_for_as_long_as_it_took() -> None:
    hall = Hall()
    with hall.desk.pace("a") as pace:
        for _ in range(1_000):
            theirs = hall.call("b")
            assert pace.gives_way()  # there is credit left
            hall.later(LOOK_S / 10)
            hall.answer(theirs)
            hall.later(LOOK_S)
            assert not pace.gives_way()
            hall.later(LOOK_S / 10)
