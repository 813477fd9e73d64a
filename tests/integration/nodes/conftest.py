"""A DataFlow on a new database, entered, and ways to ask its nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, final

import anyio
import pytest

from dataflow import DataFlow
from dataflow.actors import Handler, Turn
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import DataFlowError, WorkflowError

Ask = Callable[..., Awaitable[Any]]
"""Runs a workflow of one node; gives its result, or raises its error."""


@final
class Door:
    """An interceptor: while it is shut, turns wait and messages gather behind them.

    Attributes:
        sizes: How many messages each turn had, the first turn first.
        n_inside: Turns that are behind it now.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.n_inside = 0
        self._opened: anyio.Event | None = None

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        if self._opened is not None:
            await self._opened.wait()
        self.sizes.append(len(turn.taken))
        self.n_inside += 1
        try:
            await call_next(turn)
        finally:
            self.n_inside -= 1

    def shut(self) -> None:
        self._opened = anyio.Event()

    def open(self) -> None:
        if self._opened is not None:
            self._opened.set()

    async def line_up(self, first: Awaitable[Any], *rest: Awaitable[Any]) -> list[Any]:
        """Send *rest* in this order while the actor has *first* in hand, then go on.

        Needs an actor without helpers: one connection. Returns all outcomes, results
        or errors, in the order sent.
        """
        outcomes: list[Any] = [None] * (1 + len(rest))

        self.shut()
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for place, call in enumerate((first, *rest)):
                    tasks.start_soon(note, outcomes, place, call)
                    await anyio.wait_all_tasks_blocked()
                self.sizes.clear()
                self.open()
        return outcomes


async def note(outcomes: list[Any], place: int, call: Awaitable[Any]) -> None:
    """Put the result of *call*, or its error, in its place."""
    try:
        outcomes[place] = await call
    except DataFlowError as error:
        outcomes[place] = error


@pytest.fixture
def at_once() -> Callable[[Sequence[Awaitable[Any]]], Awaitable[list[Any]]]:
    """Give what makes calls in one pass of the event loop, and returns all outcomes."""

    async def at_once(calls: Sequence[Awaitable[Any]]) -> list[Any]:
        outcomes: list[Any] = [None] * len(calls)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for place, call in enumerate(calls):
                    tasks.start_soon(note, outcomes, place, call)
        return outcomes

    return at_once


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def other(database_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give connections of somebody else."""
    driver = connect(parse_url(database_url), bridge, pool_size=2)
    yield driver
    await driver.aclose()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url, pool_size=4) as db:
        yield db
    db.close()


@pytest.fixture
def ask(db: DataFlow) -> Ask:
    async def ask(node: str, /, **parameters: object) -> Any:
        builder = db.workflow()
        builder.add_node(node, "it", parameters)
        workflow = builder.build()
        try:
            with anyio.fail_after(20):
                results, _ = await db.run(workflow)
        except WorkflowError as error:
            raise error.__cause__ or error from None
        return results["it"]

    return ask
