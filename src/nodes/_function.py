"""Plain functions as nodes.

An async function runs on the event loop of its host. A sync function may block,
so it runs in a worker thread; a quick one that never blocks is better written
with ``async def``, and then costs no more than any other node.

All function calls of a host share a pool of actors, one call to an actor. So a
slow call holds up no other, a call that nobody waits for any more is cancelled
alone, and functions that live for one run leave nothing behind. When every actor
is busy, senders wait in the order they came.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, cast, final

import anyio
from anyio.to_thread import run_sync

from ..actors import Actor, ActorRef
from ..errors import (
    DeadlockError,
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
)
from ..messages import Envelope, Message
from ._node import Node, Port

__all__ = ["Call", "FunctionActor", "FunctionNode", "FunctionPool"]


class Call(Message, frozen=True, kw_only=True, eq=False):
    """Call a function.

    Attributes:
        node: Name of the node type.
        function: What to call.
        is_async: On the event loop, not in a worker thread.
        arguments: By name.
    """

    node: str
    function: Callable[..., Any]
    is_async: bool
    arguments: dict[str, Any]


@final
class FunctionNode(Node):
    """A function as a node: its parameters are the inputs.

    A dict that it returns is the result as it is; anything else becomes the
    output ``result``. ``**`` parameters take inputs of any name. Nodes of the
    same function are equal.

    Args:
        function: Async or sync, and callable by keywords alone.
        name: Name of the node type; by default that of the function.
        is_idempotent: May be called again after a crash.

    Raises:
        TypeError: The function has parameters that take no keyword.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        is_idempotent: bool = False,
    ) -> None:
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.is_idempotent = is_idempotent
        self._function = function
        self._is_async = _is_async(function)
        signature = _signature(function)
        self._result = Port("result", _type(signature.return_annotation))
        self._rest: Port | None = None
        self._ports: dict[str, Port] = {}
        for parameter in signature.parameters.values():
            self._take(parameter)
        required = (port.name for port in self._ports.values() if port.is_required)
        self._required = frozenset(required)

    def _take(self, parameter: inspect.Parameter) -> None:
        """Make a port of a parameter."""
        is_required = parameter.default is parameter.empty
        port = Port(parameter.name, _type(parameter.annotation), is_required)
        if parameter.kind is parameter.VAR_KEYWORD:
            self._rest = port
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            msg = f"{self.name} cannot be a node: {parameter.name!r} takes no keyword"
            raise TypeError(msg)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            self._ports[parameter.name] = port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionNode) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"FunctionNode({self.name})"

    @property
    def _key(self) -> tuple[object, ...]:
        return self._function, self.name, self.is_idempotent

    def accepts(self, name: str) -> Port | None:
        """Return the parameter of this name; any name if there is a ``**`` one."""
        port = self._ports.get(name)
        if port is None and self._rest is not None:
            return Port(name, self._rest.type)
        return port

    def inputs(self) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(self._ports)

    def offers(self, name: str) -> Port | None:
        """Return the output of this name; any name if a dict may be returned."""
        if self._result.takes_from(Port("", dict)):
            return Port(name)
        return self._result if name == "result" else None

    def outputs(self) -> tuple[str, ...]:
        """Return the one name there is unless the function returns a dict."""
        return ("result",)

    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        """Check names, and constants as far as plain annotations tell."""
        for name in (*parameters, *sorted(arriving)):
            port = self.accepts(name)
            if port is None:
                raise UnknownFieldError(where, name, self.inputs())
            if name in parameters and not port.takes(parameters[name]):
                came = type(parameters[name]).__name__
                raise FieldValueError(where, name, came, port.expected)
        self._require(where, parameters.keys() | set(arriving))

    def _require(self, where: str, given: Collection[str]) -> None:
        for name in self._ports:
            if name in self._required and name not in given:
                raise MissingFieldError(where, name, self._ports[name].expected)

    def message(self, parameters: dict[str, Any]) -> Call:
        """Make the call."""
        if not self._required <= parameters.keys():
            self._require(self.name, parameters)
        return Call(
            node=self.name,
            function=self._function,
            is_async=self._is_async,
            arguments=parameters,
        )


@final
class FunctionActor(Actor):
    """Calls functions, one after the other."""

    async def receive(self, message: Call) -> dict[str, Any]:
        """Call the function and return its result as a dict.

        If cancelled, a sync function goes on in its thread and its result is lost.
        """
        call = partial(message.function, **message.arguments)
        result = await call() if message.is_async else await _in_thread(call)
        if isinstance(result, dict):
            return cast("dict[str, Any]", result)
        return {"result": result}


@final
class FunctionPool:
    """Where the calls of one host go; its `ref` is what the host hands out.

    Attributes:
        ref: The address for every `FunctionNode`.

    Args:
        spawn: Starts the actor of this number, from 0.
        limit: Calls that run at once.
    """

    LIMIT: Final = 256

    def __init__(self, spawn: Callable[[int], ActorRef], *, limit: int = LIMIT) -> None:
        self.path = "/functions"
        self.asks: dict[Envelope, str] = {}
        self.new_event: Callable[[], anyio.Event] = type(anyio.Event())
        self.ref = ActorRef(self)
        self._spawn = spawn
        self._places = anyio.Semaphore(limit)
        self._paths: set[str] = set()
        self._idle: list[ActorRef] = []
        self._busy: dict[Envelope, ActorRef] = {}

    def put_nowait(self, envelope: Envelope) -> bool:
        """Give a call to an idle actor.

        Raises:
            anyio.WouldBlock: All are busy.
            DeadlockError: All are busy, and one of them waits for this call.
        """
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            if not self._paths.isdisjoint(envelope.chain):
                raise DeadlockError(self.path, envelope.chain) from None
            raise
        self._give(envelope)
        return True

    async def put(self, envelope: Envelope) -> None:
        """Give a call to the next actor that is idle; if cancelled, to none."""
        await self._places.acquire()
        self._give(envelope)

    def abandon(self, envelope: Envelope) -> None:
        """Cancel a call that nobody waits for any more."""
        member = self._busy.get(envelope)
        if member is not None:
            member.abandon(envelope)

    def _give(self, envelope: Envelope) -> None:
        """Hand over to an actor, for the place just acquired."""
        told = envelope.on_done
        try:
            member = self._idle.pop() if self._idle else self._grow()
            self._busy[envelope] = member
            envelope.on_done = partial(self._done, told)
            member.send_nowait(envelope)
        except BaseException:
            # The actor is gone for good; another one takes its place.
            self._busy.pop(envelope, None)
            self._places.release()
            envelope.on_done = told
            raise

    def _grow(self) -> ActorRef:
        member = self._spawn(len(self._paths))
        self._paths.add(member.path)
        return member

    def _done(
        self, told: Callable[[Envelope], None] | None, envelope: Envelope
    ) -> None:
        self._idle.append(self._busy.pop(envelope))
        self._places.release()
        if told is not None:
            told(envelope)


async def _in_thread(call: Callable[[], Any]) -> Any:  # noqa: ANN401  # the users' values
    # What looks sync may wrap an async function; Trio refuses a bare coroutine.
    (result,) = await run_sync(lambda: (call(),), abandon_on_cancel=True)
    return await result if inspect.isawaitable(result) else result


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  # its kind, not whether
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature, with annotations as strings if they have no meaning."""
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return inspect.signature(function)


def _type(annotation: object) -> object:
    return Any if annotation is inspect.Parameter.empty else annotation
