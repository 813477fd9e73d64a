from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import (
    Actor,
    ActorCrash,
    ActorRef,
    ActorSystem,
    Restart,
    RestartPolicy,
    Snapshot,
    State,
    Strategy,
    SupervisorRef,
)
from dataflow.errors import (
    ActorRestartedError,
    ClosedError,
    DeadlockError,
    MailboxClosedError,
    RestartLimitError,
)
from dataflow.messages import Envelope

Event = dict[str, object]

OFTEN = RestartPolicy(max_restarts=100, first_delay_s=0)
ONCE = RestartPolicy(max_restarts=1, first_delay_s=0)
NEVER = RestartPolicy(max_restarts=0)


class Child(Actor):
    """Note when it starts and ends; crash, hang or finish when told to."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary

    @property
    def name(self) -> str:
        return self.context.path.rpartition("/")[2]

    async def setup(self) -> None:
        self.diary.append(f"{self.name} up")
        await checkpoint()
        if f"{self.name} fails" in self.diary:
            self.diary.remove(f"{self.name} fails")
            raise OSError
        if f"{self.name} harms a" in self.diary:
            self.diary.remove(f"{self.name} harms a")
            self.context.system.find("/family/a").tell_nowait("crash")

    async def receive(self, message: str) -> str:
        if message == "crash":
            raise ActorCrash
        if message == "hang":
            self.diary.append(f"{self.name} hangs")
            await anyio.sleep_forever()
        if message == "finish":
            self.context.finish()
        return message

    async def teardown(self) -> None:
        await checkpoint()
        self.diary.append(f"{self.name} down")


class Family:
    """Children under one supervisor, and what they noted."""

    def __init__(
        self,
        system: ActorSystem,
        strategy: Strategy,
        policy: RestartPolicy = OFTEN,
        parent: SupervisorRef | None = None,
    ) -> None:
        self.diary: list[str] = []
        self.system = system
        self.supervisor = system.supervisor(
            "family", parent=parent, strategy=strategy, policy=policy
        )
        self.refs = {name: self.spawn(name) for name in "abc"}

    def spawn(self, name: str, restart: Restart = Restart.PERMANENT) -> ActorRef:
        return self.system.spawn(
            lambda: Child(self.diary), name, supervisor=self.supervisor, restart=restart
        )

    async def start(self) -> None:
        """Bring all children up, and begin a new page of the diary."""
        for ref in self.refs.values():
            await ref.ask("hello")
        self.diary.clear()

    async def crash(self, name: str) -> None:
        with pytest.raises(ActorRestartedError):
            await self.refs[name].ask("crash")

    async def greet(self) -> None:
        """Wait until every child answers."""
        for ref in self.refs.values():
            assert await ref.ask("hello") == "hello"


def node(snapshot: Snapshot, path: str) -> Snapshot:
    for child in snapshot.children:
        if path == child.path:
            return child
        if path.startswith(f"{child.path}/"):
            return node(child, path)
    raise LookupError(path)


# -- strategies ----------------------------------------------------------------


async def test_one_for_one_restarts_only_the_child_that_crashed() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            await family.crash("b")
            await family.greet()

            assert family.diary == ["b down", "b up"]


async def test_one_for_all_halts_backwards_and_restarts_forwards() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            await family.crash("b")
            await family.greet()

            ends = ["b down", "c down", "a down"]
            assert family.diary == [*ends, "a up", "b up", "c up"]


async def test_rest_for_one_restarts_what_was_started_after_it_too() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.REST_FOR_ONE)
            await family.start()
            await family.crash("b")
            await family.greet()

            assert family.diary == ["b down", "c down", "b up", "c up"]


async def test_a_child_without_messages_is_not_started_by_a_restart() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.refs["b"].ask("hello")
            await family.crash("b")
            await family.refs["b"].ask("hello")

            assert family.diary == ["b up", "b down", "b up"]


async def test_the_message_in_hand_of_a_halted_child_fails_or_is_repeated() -> None:
    once = Envelope(message="hang")
    again = Envelope(message="hang", is_idempotent=True)
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            family.refs["a"].send_nowait(once)
            family.refs["c"].send_nowait(again)
            while len(family.diary) < 2:
                await checkpoint()
            await family.crash("b")
            while family.diary.count("c hangs") < 2:
                await checkpoint()
            family.refs["c"].abandon(again)
            await family.greet()

            assert isinstance(once.error, ActorRestartedError)
            assert once.error.__cause__ is None
            assert again.attempt == 2


async def test_halts_do_not_make_a_message_poison() -> None:
    again = Envelope(message="hang", is_idempotent=True)
    with anyio.fail_after(20):
        async with ActorSystem(poison_after=2) as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            family.refs["c"].send_nowait(again)
            for n_halts in range(1, 5):
                while family.diary.count("c hangs") < n_halts:
                    await checkpoint()
                await family.crash("b")
            while family.diary.count("c hangs") < 5:
                await checkpoint()
            assert not again.is_done
            family.refs["c"].abandon(again)

    assert again.attempt == 5


async def test_a_crash_while_others_restart_takes_its_victims_along() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.REST_FOR_ONE)
            await family.start()
            family.diary.append("b fails")
            await family.crash("a")
            await family.greet()

            ends = ["a down", "c down", "b down"]
            assert family.diary == [*ends, "a up", "b up", "b up", "c up"]
            assert node(system.tree(), "/family/a").restarts == 1
            assert node(system.tree(), "/family/b").restarts == 2


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_crash_just_when_another_child_is_back_leaves_nobody_down(
    strategy: Strategy,
) -> None:
    """The old recovery is cancelled, but what it waited for has happened."""
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, strategy)
            await family.start()
            family.diary.append("b harms a")
            await family.crash("a")
            await family.greet()
            await anyio.wait_all_tasks_blocked()
            await family.greet()

            assert [e for e in family.diary if e.endswith("up")][-3:] == [
                "a up",
                "b up",
                "c up",
            ]


async def test_a_newcomer_that_crashes_takes_over_those_who_are_down() -> None:
    delays: list[anyio.Event] = []

    async def sleep(_: float) -> None:
        delays.append(anyio.Event())
        await delays[-1].wait()

    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            family = Family(system, Strategy.REST_FOR_ONE)
            await family.start()
            await family.crash("b")
            await anyio.wait_all_tasks_blocked()
            family.refs["d"] = family.spawn("d")
            await family.crash("d")
            await anyio.wait_all_tasks_blocked()
            delays[-1].set()
            await family.greet()

            ends = ["b down", "c down", "d up", "d down"]
            assert family.diary == [*ends, "b up", "c up", "d up"]


async def test_a_crash_while_a_supervisor_comes_back_leaves_nobody_down() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            family = Family(system, Strategy.ONE_FOR_ALL, NEVER)
            await family.start()
            family.diary.append("b harms a")
            await family.crash("a")
            await family.greet()
            await anyio.wait_all_tasks_blocked()
            await family.greet()

            assert [e for e in family.diary if e.endswith("up")][-3:] == [
                "a up",
                "b up",
                "c up",
            ]


async def test_two_crashes_at_once_are_one_restart_of_a_group() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL, ONCE)
            await family.start()
            family.refs["a"].tell_nowait("crash")
            family.refs["c"].tell_nowait("crash")
            await family.greet()

            assert [each.restarts for each in system.tree().children[0].children] == [
                1,
                1,
                1,
            ]


async def test_a_second_crash_of_one_child_takes_the_place_of_its_recovery() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            family.diary.append("b fails")
            await family.crash("b")
            await family.greet()

            assert family.diary == ["b down", "b up", "b up"]


async def test_children_that_crash_apart_come_back_apart() -> None:
    waiting: dict[float, anyio.Event] = {}

    async def sleep(delay_s: float) -> None:
        waiting[delay_s] = anyio.Event()
        await waiting[delay_s].wait()

    policy = RestartPolicy(first_delay_s=0.1)
    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            family = Family(system, Strategy.ONE_FOR_ONE, policy)
            await family.start()
            await family.crash("a")
            await family.crash("b")
            await anyio.wait_all_tasks_blocked()
            watch, first, second = waiting.values()
            second.set()
            assert await family.refs["b"].ask("hello") == "hello"
            assert node(system.tree(), "/family/a").state is State.RESTARTING
            first.set()
            await family.greet()

            assert family.diary == ["a down", "b down", "b up", "a up"]
            assert not watch.is_set()


async def test_a_child_halted_before_its_task_ran_comes_back() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            ref = family.refs["a"]
            ref.tell_nowait("hello")
            slot = family.supervisor._supervisor.children["a"]
            await slot.halt()
            assert slot.state is State.RESTARTING
            assert family.diary == []
            await slot.revive()

            assert await ref.ask("hello") == "hello"
            assert family.diary == ["a up"]


# -- who is restarted ----------------------------------------------------------


async def test_a_temporary_child_that_crashes_is_gone_for_good() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            ref = family.spawn("t", Restart.TEMPORARY)
            envelope = Envelope(message="crash")
            queued = Envelope(message="queued")
            ref.send_nowait(envelope)
            ref.send_nowait(queued)
            with pytest.raises(MailboxClosedError) as caught:
                await ref.ask("queued")

            assert isinstance(caught.value.__cause__, ActorCrash)
            assert isinstance(envelope.error, ActorRestartedError)
            assert isinstance(queued.error, MailboxClosedError)
            assert family.diary == ["t up", "t down"]
            with pytest.raises(LookupError):
                system.find("/family/t")


async def test_a_temporary_child_does_not_survive_the_restart_of_its_group() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            ref = family.spawn("t", Restart.TEMPORARY)
            await ref.ask("hello")
            await family.crash("a")
            await family.greet()

            with pytest.raises(MailboxClosedError):
                await ref.ask("hello")
            assert "t" not in [each.name for each in system.tree().children[0].children]


async def test_a_transient_child_is_restarted_only_after_a_crash() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            ref = family.spawn("t", Restart.TRANSIENT)
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")
            ref.tell_nowait("finish")
            assert await ref.ask("already queued") == "already queued"
            while system.tree().children[0].children[-1].name == "t":
                await checkpoint()

            with pytest.raises(MailboxClosedError):
                await ref.ask("hello")
            assert family.diary == ["t up", "t down", "t up", "t down"]


async def test_a_permanent_child_that_finishes_is_restarted() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            assert await family.refs["a"].ask("finish") == "finish"
            await family.greet()

            assert family.diary == ["a down", "a up"]


async def test_a_supervisor_ends_with_its_significant_child(
    events: list[Event],
) -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            plain = family.spawn("plain", Restart.TRANSIENT)
            await plain.ask("finish")
            ref = family.supervisor.spawn(
                lambda: Child(family.diary),
                "significant",
                restart=Restart.TRANSIENT,
                significant=True,
            )
            await ref.ask("finish")
            while system.tree().children:
                await checkpoint()

            assert family.diary[-4:] == [
                "significant down",
                "c down",
                "b down",
                "a down",
            ]
    finished = next(e for e in events if e["event"] == "supervisor_finished")
    assert finished["supervisor"] == "/family"
    assert finished["child"] == "/family/significant"


async def test_a_significant_child_that_is_stopped_has_not_finished() -> None:
    hangs = anyio.Event()

    class Slow(Actor):
        async def receive(self, message: str) -> None:
            hangs.set()
            await go_on.wait()
            self.context.finish()

    go_on = anyio.Event()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = system.supervisor("family")
            ref = family.spawn(
                Slow, "slow", restart=Restart.TRANSIENT, significant=True
            )
            ref.tell_nowait("hello")
            await hangs.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(system.stop, ref)
                await anyio.wait_all_tasks_blocked()
                go_on.set()
            await anyio.wait_all_tasks_blocked()

            assert [each.name for each in system.tree().children] == ["family"]


async def test_what_cannot_be_significant_is_refused() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            with pytest.raises(ValueError, match="cannot be significant"):
                family.supervisor.spawn(Actor, "permanent", significant=True)
            with pytest.raises(ValueError, match="cannot be significant"):
                system.spawn(Actor, "root", restart=Restart.TRANSIENT, significant=True)


# -- giving up -----------------------------------------------------------------


async def test_a_supervisor_that_gives_up_is_restarted_by_its_parent(
    events: list[Event],
) -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            family = Family(system, Strategy.ONE_FOR_ONE, NEVER)
            await family.start()
            await family.crash("b")
            await family.greet()

            ends = ["b down", "c down", "a down"]
            assert family.diary == [*ends, "a up", "b up", "c up"]
            snapshot = system.tree().children[0]
            assert (snapshot.state, snapshot.restarts) == (State.RUNNING, 1)
    escalating = next(e for e in events if e["event"] == "supervisor_escalating")
    assert escalating["supervisor"] == "/family"
    assert escalating["actor"] == "/family/b"
    assert escalating["restarts"] == 0


async def test_a_restarted_supervisor_counts_from_the_start_again() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            family = Family(system, Strategy.ONE_FOR_ONE, ONCE)
            await family.start()
            for _ in range(4):
                await family.crash("b")
            await family.greet()

            assert system.tree().children[0].restarts == 2


async def test_giving_up_climbs_until_somebody_does_not() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            upper = system.supervisor("upper", policy=NEVER)
            family = Family(system, Strategy.ONE_FOR_ALL, NEVER, parent=upper)
            await family.start()
            await family.crash("a")
            await family.greet()

            tree = system.tree()
            assert node(tree, "/upper").restarts == 1
            assert node(tree, "/upper").last_error == "RestartLimitError"
            assert node(tree, "/upper/family").restarts == 1
            assert node(tree, "/upper/family").last_error == "ActorCrash"


async def test_giving_up_at_the_root_ends_the_system() -> None:
    diary: list[str] = []
    hanging, queued = Envelope(message="hang"), Envelope(message="hello")
    with anyio.fail_after(20):
        with pytest.raises(RestartLimitError) as caught:  # noqa: PT012  one block
            async with ActorSystem(policy=NEVER) as system:
                family = Family(system, Strategy.ONE_FOR_ONE, NEVER)
                await family.start()
                diary = family.diary
                family.refs["a"].send_nowait(hanging)
                family.refs["a"].send_nowait(queued)
                with pytest.raises(ActorRestartedError):
                    await family.refs["c"].ask("crash")
                await anyio.sleep_forever()

    assert caught.value.actor == "/family"
    cause = caught.value.__cause__
    assert isinstance(cause, RestartLimitError)
    assert cause.actor == "/family/c"
    assert isinstance(cause.__cause__, ActorCrash)
    assert isinstance(hanging.error, ActorRestartedError)
    assert isinstance(queued.error, MailboxClosedError)
    assert diary == ["a hangs", "c down", "b down", "a down"]


async def test_giving_up_at_the_root_fails_a_pending_ask_even_if_shielded() -> None:
    failed: list[BaseException] = []
    with anyio.fail_after(20):
        with pytest.raises(RestartLimitError):  # noqa: PT012  one block
            async with ActorSystem(policy=NEVER) as system:
                ref = system.spawn(lambda: Child([]), "a")
                other = system.spawn(lambda: Child([]), "b")
                await other.ask("hello")
                ref.tell_nowait("crash")
                with anyio.CancelScope(shield=True):
                    try:
                        await other.ask("hang")
                    except ActorRestartedError as error:
                        failed.append(error)

    assert len(failed) == 1


async def test_a_temporary_supervisor_that_gives_up_is_gone_for_good() -> None:
    with anyio.fail_after(20):
        async with ActorSystem(policy=NEVER) as system:
            supervisor = system.supervisor(
                "family", policy=NEVER, restart=Restart.TEMPORARY
            )
            ref = supervisor.spawn(lambda: Child([]), "a")
            other = supervisor.spawn(lambda: Child([]), "b")
            await other.ask("hello")
            with pytest.raises(ActorRestartedError):
                await ref.ask("crash")
            while system.tree().children:
                await checkpoint()

            with pytest.raises(MailboxClosedError):
                await other.ask("hello")


async def test_a_temporary_supervisor_does_not_survive_the_restart_of_its_group() -> (
    None
):
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            inner = family.supervisor.supervisor("inner", restart=Restart.TEMPORARY)
            ref = inner.spawn(lambda: Child(family.diary), "d")
            await family.start()
            await ref.ask("hello")
            await family.crash("a")
            await family.greet()

            with pytest.raises(MailboxClosedError):
                await ref.ask("hello")
            with pytest.raises(ClosedError):
                inner.spawn(lambda: Child(family.diary), "e")


async def test_a_supervisor_in_a_group_is_halted_and_revived_with_it() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            inner = family.supervisor.supervisor("inner")
            ref = inner.spawn(lambda: Child(family.diary), "d")
            await ref.ask("hello")
            await family.start()
            await family.crash("a")
            await family.greet()
            await ref.ask("hello")

            ends = ["a down", "d down", "c down", "b down"]
            assert family.diary == [*ends, "a up", "b up", "c up", "d up"]


async def test_a_supervisor_that_gives_up_while_it_is_revived_is_revived_again() -> (
    None
):
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            family = Family(system, Strategy.ONE_FOR_ONE, NEVER)
            await family.start()
            family.diary.append("a fails")
            await family.crash("b")
            await family.greet()

            ups = ["a up", "a up", "b up", "c up"]
            assert family.diary == ["b down", "c down", "a down", *ups]
            assert system.tree().children[0].restarts == 2


async def test_a_group_whose_first_child_fails_to_come_back_is_retried_in_order() -> (
    None
):
    with anyio.fail_after(20):
        async with ActorSystem(policy=OFTEN) as system:
            upper = system.supervisor("upper", strategy=Strategy.ONE_FOR_ALL)
            family = Family(system, Strategy.ONE_FOR_ALL, OFTEN, parent=upper)
            crasher = upper.spawn(lambda: Child(family.diary), "d")
            await family.start()
            family.diary.append("a fails")
            with pytest.raises(ActorRestartedError):
                await crasher.ask("crash")
            await family.greet()
            await crasher.ask("hello")

            ups = [each for each in family.diary if each.endswith("up")]
            assert sorted(ups) == sorted(
                ["d up", "a up", "a up", "b up", "c up", "d up"]
            )
            assert [each for each in ups if not each.startswith("d")] == [
                "a up",
                "a up",
                "b up",
                "c up",
            ]


# -- stopping ------------------------------------------------------------------


async def test_stopping_a_supervisor_stops_its_children_backwards() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            await system.stop(family.supervisor)

            assert family.diary == ["c down", "b down", "a down"]
            assert system.tree().children == ()
            with pytest.raises(MailboxClosedError):
                await family.refs["a"].ask("hello")
            with pytest.raises(ClosedError, match="/family is closed"):
                family.spawn("d")
            again = system.supervisor("family")
            assert again.path == "/family"


async def test_stopping_twice_is_stopping_once() -> None:
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(family.supervisor.stop)
                    tasks.start_soon(system.stop, family.refs["a"])
            await family.supervisor.stop()
            await system.stop(family.refs["a"])

            assert sorted(family.diary) == ["a down", "b down", "c down"]


async def test_a_restart_of_a_group_does_not_wait_for_what_is_being_stopped() -> None:
    class Slow(Actor):
        async def receive(self, message: str) -> str:
            hangs.set()
            await go_on.wait()
            return message

    hangs, go_on = anyio.Event(), anyio.Event()
    envelope = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ALL)
            await family.start()
            inner = family.supervisor.supervisor("inner")
            inner.spawn(Slow, "slow").send_nowait(envelope)
            await hangs.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(inner.stop)
                await anyio.wait_all_tasks_blocked()
                await family.crash("a")
                await family.greet()
                go_on.set()

            assert envelope.result == "hello"


async def test_an_actor_that_waits_for_its_restart_can_be_stopped() -> None:
    waiting = anyio.Event()

    async def sleep(delay_s: float) -> None:
        if delay_s < 1:
            waiting.set()
        await anyio.sleep_forever()

    with anyio.fail_after(20):
        async with ActorSystem(sleep=sleep) as system:
            ref = system.spawn(lambda: Child([]), "a")
            ref.tell_nowait("crash")
            await waiting.wait()
            queued = Envelope(message="hello")
            ref.send_nowait(queued)
            await system.stop(ref)

            assert isinstance(queued.error, MailboxClosedError)
            assert system.tree().children == ()


async def test_a_crash_during_the_stop_is_the_end() -> None:
    queued = Envelope(message="hello")
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = Family(system, Strategy.ONE_FOR_ONE)
            await family.start()
            family.refs["a"].tell_nowait("crash")
            family.refs["a"].send_nowait(queued)
            await system.stop(family.refs["a"])

            assert family.diary == ["a down"]
    assert isinstance(queued.error, MailboxClosedError)


async def test_nobody_can_wait_for_his_own_end() -> None:
    class Suicidal(Actor):
        async def receive(self, message: str) -> None:
            await getattr(self, message)()

        async def actor(self) -> None:
            await self.context.system.stop(self.context.ref)

        async def supervisor(self) -> None:
            await family.stop()

        async def system(self) -> None:
            await system.aclose()

    with anyio.fail_after(20):
        async with ActorSystem() as system:
            family = system.supervisor("family")
            system.supervisor("fam")
            ref = family.spawn(Suicidal, "actor")
            for message in ("actor", "supervisor", "system"):
                with pytest.raises(DeadlockError):
                    await ref.ask(message)


async def test_a_task_left_over_from_a_turn_may_stop_its_actor() -> None:
    class Starter(Actor):
        async def receive(self, message: str) -> None:
            tasks.start_soon(self.stop)

        async def stop(self) -> None:
            await replied.wait()
            await system.stop(self.context.ref)

    replied = anyio.Event()
    with anyio.fail_after(20):
        async with ActorSystem() as system, anyio.create_task_group() as tasks:
            await system.spawn(Starter, "starter").ask("start")
            replied.set()
