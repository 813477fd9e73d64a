from __future__ import annotations

import collections.abc
import functools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal, Protocol, TypedDict

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import Actor, ActorRef, ActorSystem
from dataflow.errors import (
    DeadlockError,
    FieldValueError,
    MailboxClosedError,
    MissingFieldError,
    UnknownFieldError,
)
from dataflow.messages import Envelope
from dataflow.nodes._actor_pool import ActorPool
from dataflow.nodes._function import FunctionActor, FunctionNode
from dataflow.nodes._node import Port

Function = Callable[..., Any]


async def add(left: int, right: int = 0, *rest: int) -> int:
    return left + right + sum(rest)


async def gather(first: int, **others: str) -> dict[str, Any]:
    return {"first": first, **others}


class Comparable(Protocol):
    def __lt__(self, other: object, /) -> bool: ...


class Row(TypedDict):
    id: int


# -- ports ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "fits", "misfits"),
    [
        (int, [1, True], ["1", 1.0, None]),
        (float, [1.5, 1], ["1"]),
        (str | None, ["", None], [1]),
        (list[int], [[1], []], [(1,)]),
        (collections.abc.Sequence[int], [[1], (1,)], [{1}]),
        (Literal["a", 1], ["b", 2], [None]),
        (Row, [{"id": 1}], [[1]]),
        (Annotated[int, "positive"], [1], ["1"]),
        (None, [None], [0]),
        (Any, [1, None], []),
        (Comparable, [1, None], []),
        (int | Comparable, [1, None], []),
        ("later", [1, None], []),
    ],
)
def test_a_port_takes_what_the_class_of_its_annotation_allows(
    type_: object, fits: list[object], misfits: list[object]
) -> None:
    port = Port("x", type_)

    assert all(port.takes(value) for value in fits)
    assert not any(port.takes(value) for value in misfits)


@pytest.mark.parametrize(
    ("output", "type_", "may"),
    [
        (int, int, True),
        (int, str, False),
        (int | None, int, True),
        (int, float, True),
        (object, int, True),
        (list[int], list[str], True),
        (list[int], dict[str, int], False),
        (str | None, int | None, True),
        (str, int | None, False),
        (Any, int, True),
        (int, Any, True),
    ],
)
def test_a_port_refuses_an_output_only_if_no_value_of_it_can_enter(
    output: object, type_: object, *, may: bool
) -> None:
    assert Port("x", type_).takes_from(Port("y", output)) is may


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (int, "int"),
        (list[int], "list[int]"),
        (int | None, "int | None"),
        (Any, "any value"),
    ],
)
def test_a_port_says_what_it_takes(type_: object, words: str) -> None:
    assert Port("x", type_).expected == words


# -- the node -------------------------------------------------------------------------


def test_the_parameters_of_a_function_are_its_inputs() -> None:
    node = FunctionNode(add)

    assert node.name == "add"
    assert node.inputs() == ("left", "right")
    assert node.accepts("left") == Port("left", int, is_required=True)
    assert node.accepts("right") == Port("right", int)
    assert node.accepts("rest") is None


def test_double_starred_parameters_take_any_name() -> None:
    node = FunctionNode(gather)

    assert node.inputs() == ("first",)
    assert node.accepts("anything") == Port("anything", str)


def test_a_function_that_returns_no_dict_offers_one_output() -> None:
    node = FunctionNode(add)

    assert node.outputs() == ("result",)
    assert node.offers("result") == Port("result", int)
    assert node.offers("id") is None


def test_a_function_that_may_return_a_dict_offers_any_output() -> None:
    assert FunctionNode(gather).offers("id") == Port("id")
    assert FunctionNode(lambda: None).offers("id") == Port("id")


def test_annotations_that_mean_nothing_are_not_checked() -> None:
    async def puzzle(value: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]
        await checkpoint()

    node = FunctionNode(puzzle)  # pyright: ignore[reportUnknownArgumentType]
    port = node.accepts("value")

    assert port is not None
    assert port.takes(object())


def test_a_parameter_that_takes_no_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="len cannot be a node: 'obj' takes no keyword"):
        FunctionNode(len)


def test_nodes_of_the_same_function_are_equal() -> None:
    assert len({FunctionNode(add), FunctionNode(add)}) == 1
    assert FunctionNode(add) != FunctionNode(gather)
    assert FunctionNode(add) != FunctionNode(add, is_idempotent=True)
    assert repr(FunctionNode(add, name="sum")) == "FunctionNode(sum)"


@pytest.mark.parametrize(
    ("parameters", "arriving", "error", "said"),
    [
        ({}, set[str](), MissingFieldError, "it needs 'left' (int)"),
        ({"left": "1"}, set[str](), FieldValueError, "it.left takes int, not str"),
        ({"lef": 1}, {"left"}, UnknownFieldError, "did you mean 'left'?"),
        ({"left": 1}, {"rigt"}, UnknownFieldError, "did you mean 'right'?"),
    ],
)
def test_what_cannot_be_called_is_refused(
    parameters: dict[str, Any], arriving: set[str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        FunctionNode(add).check("it", parameters, arriving)
    assert said in str(caught.value)


def test_what_can_be_called_is_accepted() -> None:
    FunctionNode(add).check("it", {"right": 2}, {"left"})
    FunctionNode(gather).check("it", {"first": 2, "x": ""}, {"y"})


def test_a_message_without_a_required_argument_is_refused() -> None:
    with pytest.raises(MissingFieldError, match="add needs 'left'"):
        FunctionNode(add).message({"right": 1})


# -- calls ----------------------------------------------------------------------------


class Pool:
    """A pool of two actors, with a short way to call."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.paths: list[str] = []
        self.ref = ActorPool(self._spawn, limit=2).ref

    def _spawn(self, number: int) -> ActorRef:
        ref = self.system.spawn(FunctionActor, f"f{number}")
        self.paths.append(ref.path)
        return ref

    async def call(self, function: Function, **arguments: object) -> dict[str, Any]:
        message = FunctionNode(function).message(arguments)
        reply: dict[str, Any] = await self.ref.ask(message)
        return reply


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with ActorSystem("test") as system:
        yield Pool(system)


async def test_an_async_function_is_called_on_the_event_loop(pool: Pool) -> None:
    async def where() -> int:
        await checkpoint()
        return threading.get_ident()

    assert await pool.call(where) == {"result": threading.get_ident()}


async def test_a_sync_function_is_called_in_a_worker_thread(pool: Pool) -> None:
    found = await pool.call(lambda: {"thread": threading.get_ident()})

    assert found["thread"] != threading.get_ident()


async def test_partials_methods_objects_and_wrappers_count_as_async(
    pool: Pool,
) -> None:
    class Adder:
        async def __call__(self, left: int) -> int:
            return await add(left, 1)

        async def method(self, left: int) -> int:
            return await add(left, 2)

    def wrapper(left: int) -> object:
        return add(left, 3)

    assert await pool.call(functools.partial(add, right=0), left=1) == {"result": 1}
    assert await pool.call(Adder(), left=1) == {"result": 2}
    assert await pool.call(Adder().method, left=1) == {"result": 3}
    assert await pool.call(wrapper, left=1) == {"result": 4}


async def test_a_dict_is_the_result_and_anything_else_is_wrapped(pool: Pool) -> None:
    assert await pool.call(gather, first=1, x="y") == {"first": 1, "x": "y"}
    assert await pool.call(add, left=1) == {"result": 1}


async def test_an_error_fails_the_call(pool: Pool) -> None:
    async def fail() -> None:
        raise LookupError(1)

    with pytest.raises(LookupError):
        await pool.call(fail)


async def test_calls_one_after_the_other_need_one_actor(pool: Pool) -> None:
    for number in range(5):
        await pool.call(add, left=number)

    assert pool.paths == ["/f0"]


async def test_a_slow_call_holds_up_no_other(pool: Pool) -> None:
    released = anyio.Event()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.call, released.wait)
            await anyio.wait_all_tasks_blocked()
            assert await pool.call(add, left=1) == {"result": 1}
            released.set()


async def test_when_all_are_busy_senders_wait_in_order(pool: Pool) -> None:
    first, second = anyio.Event(), anyio.Event()
    order: list[int] = []

    async def note(number: int) -> None:
        order.append(number)
        await checkpoint()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for released in (first, second):
                tasks.start_soon(pool.call, released.wait)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.WouldBlock):
                pool.ref.send_nowait(Envelope(message=None))
            for number in range(4):
                tasks.start_soon(functools.partial(pool.call, note, number=number))
                await anyio.wait_all_tasks_blocked()
            first.set()
            await anyio.wait_all_tasks_blocked()
            second.set()

    assert order == [0, 1, 2, 3]
    assert pool.paths == ["/f0", "/f1"]


async def test_an_abandoned_call_is_cancelled_and_its_actor_is_free(
    pool: Pool,
) -> None:
    cancelled: list[int] = []

    async def wait(number: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(number)

    with anyio.fail_after(10):
        for number in range(6):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(functools.partial(pool.call, wait, number=number))
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()

    assert cancelled == [0, 1, 2, 3, 4, 5]
    assert await pool.call(add, left=1) == {"result": 1}


async def test_an_unknown_envelope_is_abandoned_without_harm(pool: Pool) -> None:
    pool.ref.abandon(Envelope(message=None))


async def test_calls_that_wait_for_each_other_are_refused_when_none_is_free(
    pool: Pool,
) -> None:
    async def nest(depth: int) -> object:
        return await pool.call(nest, depth=depth - 1) if depth else depth

    with anyio.fail_after(10):
        assert await pool.call(nest, depth=1) == {"result": 0}
        with pytest.raises(DeadlockError):
            await pool.call(nest, depth=2)


async def test_an_actor_that_has_stopped_is_replaced(pool: Pool) -> None:
    await pool.call(add, left=1)
    await pool.system.stop(pool.system.find("/f0"))

    with pytest.raises(MailboxClosedError):
        await pool.call(add, left=1)
    assert await pool.call(add, left=1) == {"result": 1}
    assert pool.paths == ["/f0", "/f1"]


async def test_an_envelope_without_a_listener_may_be_sent(pool: Pool) -> None:
    await pool.ref.tell(FunctionNode(add).message({"left": 1}))
    await anyio.wait_all_tasks_blocked()

    assert await pool.call(add, left=1) == {"result": 1}
    assert pool.paths == ["/f0"]


def test_the_actor_is_an_actor_of_single_messages() -> None:
    assert issubclass(FunctionActor, Actor)
    assert FunctionActor.turn_size == 1
