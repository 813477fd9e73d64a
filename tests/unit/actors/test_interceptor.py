from __future__ import annotations

import anyio
import pytest

from dataflow.actors import Actor, ActorSystem, Handler, Interceptor, Turn, compose
from dataflow.errors import WriteBlockedError
from dataflow.messages import Envelope, Scope, acting


class Echo(Actor):
    async def receive(self, message: str) -> str:
        return message


class Mark:
    """Note when a turn comes in and when it goes out."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        self.seen.append(f"{self.name} in")
        await call_next(turn)
        self.seen.append(f"{self.name} out")


class NoWrites:
    """Refuse the messages that are called ``write`` and pass on the rest."""

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        for envelope in turn:
            if envelope.message == "write":
                turn.refuse(envelope, WriteBlockedError("User", "create", "NoWrites"))
        if turn:
            await call_next(turn)


async def test_the_first_interceptor_is_outermost() -> None:
    seen: list[str] = []

    async def handler(turn: Turn) -> None:
        seen.append("handler")

    marks = [Mark("a", seen), Mark("b", seen)]
    await compose(marks, handler)(Turn("/x", []))

    assert seen == ["a in", "b in", "handler", "b out", "a out"]


async def test_composing_nothing_gives_the_handler_itself() -> None:
    async def handler(turn: Turn) -> None:
        """Do nothing."""

    assert compose([], handler) is handler


async def test_interceptors_of_the_system_surround_those_of_the_actor() -> None:
    seen: list[str] = []
    with anyio.fail_after(20):
        async with ActorSystem(interceptors=[Mark("system", seen)]) as system:
            ref = system.spawn(Echo, "echo", interceptors=[Mark("actor", seen)])
            await ref.ask("hello")

    assert seen == ["system in", "actor in", "actor out", "system out"]


async def test_an_interceptor_refuses_one_message_and_passes_the_rest_on() -> None:
    class Batch(Actor):
        turn_size = 8

    class BatchEcho(Batch):
        async def receive(self, message: str) -> str:
            return message

    envelopes = [Envelope(message=each) for each in ("read", "write", "list")]
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(BatchEcho, "echo", interceptors=[NoWrites()])
            for envelope in envelopes:
                ref.send_nowait(envelope)

    assert [each.result for each in envelopes] == ["read", None, "list"]
    assert isinstance(envelopes[1].error, WriteBlockedError)


async def test_an_interceptor_that_raises_fails_the_messages_not_the_actor() -> None:
    class Broken:
        async def __call__(self, turn: Turn, call_next: Handler) -> None:
            raise RuntimeError("layer")

    layer: Interceptor = Broken()
    with anyio.fail_after(20):
        async with ActorSystem() as system:
            ref = system.spawn(Echo, "echo", interceptors=[layer])
            with pytest.raises(RuntimeError, match="layer"):
                await ref.ask("hello")
            snapshot = await system.health(ref)

    assert snapshot.restarts == 0
    assert snapshot.failed == 1


async def test_what_is_sent_is_signed_by_whom_the_code_acts_as() -> None:
    seen: list[tuple[object, ...]] = []

    async def note(turn: Turn, call_next: Handler) -> None:
        seen.extend((each.principal, each.tenant, each.scope) for each in turn.taken)
        await call_next(turn)

    scope = Scope(principal="ada", tenant="acme")
    async with ActorSystem() as system:
        echo = system.spawn(Echo, "echo", interceptors=[note])
        before = acting.set(scope)
        try:
            await echo.tell("a")
            await echo.ask("b")
            await echo.ask("c", principal="bob")
        finally:
            acting.reset(before)
        await echo.ask("d")

    assert seen == [
        ("ada", "acme", scope),
        ("ada", "acme", scope),
        ("bob", "acme", scope),
        (None, None, None),
    ]
