"""The limits of tenants and the desk that keeps them, with a clock of the test's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, final

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from dataflow.actors import Admission
from dataflow.errors import TenantLimitError
from dataflow.messages import CrossTenant, Envelope, Operation, Request, Scope
from dataflow.nodes import GivenLimits, Limits, TenantLimits
from dataflow.nodes.limits import Desk, lane_of


@final
class Clock:
    """Goes on when it is told to, and wakes whoever waits for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._went_on = anyio.Event()

    def time(self) -> float:
        return self.now

    async def pause(
        self, wait: Callable[[], Awaitable[object]], seconds: float
    ) -> None:
        self.waits.append(seconds)
        until = self.now + seconds
        async with anyio.create_task_group() as tasks:

            async def woken() -> None:
                await wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(woken)
            while self.now < until:
                await self._went_on.wait()
            tasks.cancel_scope.cancel()

    async def go_on(self, seconds: float) -> None:
        self.now += seconds
        went_on, self._went_on = self._went_on, anyio.Event()
        went_on.set()
        await wait_all_tasks_blocked()


@final
class Entrance:
    """The way into one mailbox, which is the sender's memory."""

    def __init__(self, given: GivenLimits | None) -> None:
        self.clock = Clock()
        self.limits = Limits(given, clock=self.clock.time, pause=self.clock.pause)
        self.desk = Desk(self.limits, anyio.Event, lambda call: call())
        self.desk.enter("/database-1")
        lanes = self.desk.lanes(has_tenants=True)
        assert lanes.admission is not None
        self.door: Admission = lanes.admission
        self.inside: list[Envelope] = []

    async def enter(self, tenant: str) -> None:
        envelope = message(tenant)
        await self.door.admit(envelope)
        self.inside.append(envelope)

    def enter_nowait(self, tenant: str) -> bool:
        envelope = message(tenant)
        if not self.door.admit_nowait(envelope):
            return False
        self.inside.append(envelope)
        return True

    def names(self) -> str:
        return "".join(str(each.tenant) for each in self.inside)


def message(
    tenant: str | None,
    *,
    chain: tuple[str, ...] = (),
    scope: Scope | None = None,
    **parameters: object,
) -> Envelope:
    request = Request(
        node="NoteReadNode",
        model="Note",
        operation=Operation.READ,
        parameters=parameters,
    )
    return Envelope(message=request, tenant=tenant, chain=chain, scope=scope)


def refused(entrance: Entrance, tenant: str) -> TenantLimitError:
    with pytest.raises(TenantLimitError) as caught:
        entrance.enter_nowait(tenant)
    return caught.value


# -- what each may have -------------------------------------------------------------


def test_some_tenants_have_other_limits_by_a_mapping() -> None:
    own = TenantLimits(running=7)
    limits = Limits(TenantLimits(running=2, overrides={"a": own}))

    assert limits.of("a") is own
    assert limits.of("b").running == 2
    assert limits.is_limited


def test_only_some_tenants_have_limits() -> None:
    limits = Limits({"a": TenantLimits(weight=3)})

    assert (limits.of("a").weight, limits.of("b").weight) == (3, 1)
    assert [limits.weight(each) for each in ("a", "b", "c")] == [3, 1, 1]


def test_a_function_is_asked_once_for_each_tenant() -> None:
    asked: list[str] = []

    def own(tenant: str) -> TenantLimits | None:
        asked.append(tenant)
        return TenantLimits(running=1) if tenant == "a" else None

    limits = Limits(TenantLimits(running=9, overrides=own))

    assert [limits.of(each).running for each in "aabb"] == [1, 1, 9, 9]
    assert asked == ["a", "b"]
    limits.unlimit("a")
    assert limits.of("a").running == 1
    assert asked == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (7, TypeError, "a mapping of them by tenant"),
        ({"a": 7}, TypeError, "are TenantLimits, not int"),
        ({"": TenantLimits()}, TypeError, "not empty"),
        (
            {"a": TenantLimits(overrides={"b": TenantLimits()})},
            ValueError,
            "have no overrides",
        ),
    ],
)
def test_what_is_no_limits_is_refused(
    given: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        Limits(given)


def test_a_function_that_returns_no_limits_is_told() -> None:
    def wrong(_: str) -> Any:
        return 7

    limits = Limits(wrong)

    with pytest.raises(TypeError, match="are TenantLimits, not int"):
        limits.of("a")


def test_what_is_remembered_of_tenants_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataflow.nodes.limits._limits._KNOWN", 3)
    asked: list[str] = []

    def own(tenant: str) -> TenantLimits:
        asked.append(tenant)
        return TenantLimits(per_second=1, burst=1)

    entrance = Entrance(own)
    entrance.limits.limit("kept", TenantLimits(running=5))
    for tenant in "abcdab":
        entrance.enter_nowait(tenant)
        entrance.clock.now += 2

    assert len(asked) == 6
    assert entrance.limits.of("kept").running == 5


# -- how often ----------------------------------------------------------------------


async def test_calls_wait_for_their_rate_in_order() -> None:
    entrance = Entrance(TenantLimits(per_second=2, burst=1))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(entrance.enter, "a")
            await wait_all_tasks_blocked()
        assert entrance.names() == "a"
        assert entrance.desk.waiting() == {"a": 2}
        await entrance.clock.go_on(0.4)
        assert entrance.names() == "a"
        tasks.start_soon(entrance.enter, "b")
        await wait_all_tasks_blocked()
        assert entrance.names() == "ab"
        await entrance.clock.go_on(0.1)
        assert entrance.names() == "aba"
        await entrance.clock.go_on(0.5)
        assert entrance.names() == "abaa"

    assert entrance.clock.waits[0] == pytest.approx(0.5)
    assert entrance.desk.waiting() == {}


async def test_a_new_call_waits_behind_those_that_wait() -> None:
    entrance = Entrance(TenantLimits(per_second=1, burst=1))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(entrance.enter, "a")
            await wait_all_tasks_blocked()
        entrance.clock.now += 5
        assert not entrance.enter_nowait("a")
        await entrance.clock.go_on(0)
    assert entrance.names() == "aa"


async def test_a_call_that_gives_up_its_wait_takes_nothing_of_the_rate() -> None:
    entrance = Entrance(TenantLimits(per_second=1, burst=1))
    assert entrance.enter_nowait("a")
    given_up, gone = anyio.CancelScope(), anyio.Event()

    async def give_up() -> None:
        with given_up:
            await entrance.enter("a")
        gone.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        await wait_all_tasks_blocked()
        tasks.start_soon(entrance.enter, "a")
        await wait_all_tasks_blocked()
        given_up.cancel()
        await gone.wait()
        await wait_all_tasks_blocked()
        assert entrance.desk.waiting() == {"a": 1}
        await entrance.clock.go_on(1)
    assert entrance.names() == "aa"


def test_what_reached_no_actor_gives_its_place_and_its_token_back() -> None:
    entrance = Entrance(
        TenantLimits(per_second=1, burst=1, running=1, exceeding="refuse")
    )
    assert entrance.enter_nowait("a")
    entrance.door.withdraw(entrance.inside.pop())

    assert entrance.enter_nowait("a")
    assert refused(entrance, "a").limit == "running"
    entrance.inside.pop().reply(None)
    error = refused(entrance, "a")
    assert (error.limit, error.most, error.retry_after) == ("per_second", 1, 1)


# -- how many -----------------------------------------------------------------------


async def test_a_place_is_free_when_a_call_is_resolved_either_way() -> None:
    entrance = Entrance(TenantLimits(running=2))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(entrance.enter, "a")
            await wait_all_tasks_blocked()
        assert entrance.names() == "aa"
        entrance.inside[0].reply(1)
        entrance.inside[0].reply(2)  # not for the second time
        await wait_all_tasks_blocked()
        assert entrance.names() == "aaa"
        entrance.inside[1].fail(ValueError())
        await wait_all_tasks_blocked()
        assert entrance.names() == "aaaa"


def test_what_was_begun_does_not_count_as_waiting() -> None:
    entrance = Entrance(TenantLimits(waiting=1))
    assert entrance.enter_nowait("a")
    assert refused(entrance, "a").limit == "waiting"
    ticket = entrance.inside[0].ticket
    assert ticket is not None
    ticket.begin()
    ticket.begin()

    assert entrance.enter_nowait("a")
    assert refused(entrance, "a").retry_after is None


async def test_limits_that_are_changed_let_those_who_wait_look_again() -> None:
    entrance = Entrance(TenantLimits(running=1, per_second=1, burst=1))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(entrance.enter, "a")
            await wait_all_tasks_blocked()
        entrance.limits.limit("nobody", TenantLimits())
        entrance.limits.limit("a", TenantLimits(running=2, per_second=1000))
        await wait_all_tasks_blocked()
        await entrance.clock.go_on(0.01)
        assert entrance.names() == "aa"
        entrance.limits.limit("a", TenantLimits())
        await wait_all_tasks_blocked()
        assert entrance.names() == "aaa"


async def test_a_desk_whose_event_loop_has_ended_is_not_told() -> None:
    limits = Limits()

    def ended(_: object) -> None:
        raise RuntimeError

    desk = Desk(limits, anyio.Event, ended)
    desk.enter("/database-1")
    desk.enter("/database-2")
    desk.leave("/database-1")
    limits.limit("a", TenantLimits(running=1))
    desk.leave("/database-2")

    assert limits.of("a").running == 1


# -- whose it is --------------------------------------------------------------------


def test_calls_that_are_nobodys_or_of_one_in_hand_are_not_counted() -> None:
    entrance = Entrance(TenantLimits(running=1))
    everybody = Scope(cross_tenant=CrossTenant(reason="a test"))
    for free in (
        message(None),
        message("a", chain=("/database-1/NoteListNode",)),
        message("a", scope=everybody),
    ):
        assert entrance.door.admit_nowait(free)
        assert free.ticket is None
        entrance.door.withdraw(free)

    assert entrance.enter_nowait("a")
    outside = message("a", chain=("/database-2/NoteListNode",))
    assert not entrance.door.admit_nowait(outside)


def test_the_lane_is_the_tenant_that_is_named_and_fits() -> None:
    lane = lane_of(has_tenants=True)
    named, wrong = message(None, tenant_id="b"), message(None, tenant_id=7)

    assert (lane(message("a")), lane(named), lane(wrong)) == ("a", "b", None)
    assert lane_of(has_tenants=False)(named) is None
    assert lane_of(has_tenants=True, tenant="c")(named) == "c"
