"""Plain functions as nodes.

An async function runs on the event loop of its host. A sync function may block,
so it runs in a worker thread; a quick one that never blocks is better written
with ``async def``, and then costs no more than any other node.

All function calls of a host share an `ActorPool`, one call to an actor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, cast, final

from anyio.to_thread import run_sync

from ..actors import Actor
from ..errors import FieldValueError, MissingFieldError, UnknownFieldError
from ..messages import Message
from ._node import Node, Port

__all__ = ["Call", "FunctionActor", "FunctionNode"]


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
        if message.is_async:
            result = await message.function(**message.arguments)
        else:
            result = await _in_thread(partial(message.function, **message.arguments))
        if isinstance(result, dict):
            return cast("dict[str, Any]", result)
        return {"result": result}


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
