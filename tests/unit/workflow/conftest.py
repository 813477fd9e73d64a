"""A small real host: functions only, on a system of actors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from dataflow.actors import ActorRef, ActorSystem
from dataflow.nodes._function import FunctionActor, FunctionPool
from dataflow.nodes._node import Host, Node
from dataflow.workflow import WorkflowBuilder


class FunctionHost:
    """Runs functions; counts how often it had to be awaited."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.n_awaited = 0
        self._pool = FunctionPool(
            lambda number: system.spawn(FunctionActor, f"function-{number}"), limit=8
        )

    def ref_nowait(self, node: Node) -> ActorRef | None:
        return self._pool.ref if self.n_awaited else None

    async def ref(self, node: Node) -> ActorRef:
        await anyio.lowlevel.checkpoint()
        self.n_awaited += 1
        return self._pool.ref


@asynccontextmanager
async def function_host() -> AsyncIterator[FunctionHost]:
    async with ActorSystem("test") as system:
        yield FunctionHost(system)


MakeHost = Callable[[], AbstractAsyncContextManager[Host]]


@pytest.fixture
def make_host() -> MakeHost:
    return function_host


@pytest.fixture
async def host() -> AsyncIterator[FunctionHost]:
    async with function_host() as made:
        yield made


@pytest.fixture
def builder() -> WorkflowBuilder:
    return WorkflowBuilder()


async def _value(value: Any) -> dict[str, Any]:
    return {"value": value}


@pytest.fixture
def value() -> Callable[..., Any]:
    """A function whose output ``value`` is its input ``value``."""
    return _value
