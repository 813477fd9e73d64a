"""A small real host: functions only, on a system of actors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from anyio.lowlevel import checkpoint

from dataflow.actors import ActorRef, ActorSystem
from dataflow.nodes._actor_pool import ActorPool
from dataflow.nodes._function import FunctionActor
from dataflow.nodes._node import Host, Node
from dataflow.workflow import WorkflowBuilder


class FunctionHost:
    """Runs functions; notes each node that it was awaited for."""

    def __init__(self, system: ActorSystem, awaited: list[str]) -> None:
        self._awaited = awaited
        self._pool = ActorPool(
            lambda number: system.spawn(FunctionActor, f"function-{number}"), limit=8
        )

    def ref_nowait(self, node: Node) -> ActorRef | None:
        return self._pool.ref if self._awaited else None

    async def ref(self, node: Node) -> ActorRef:
        await checkpoint()
        self._awaited.append(node.name)
        return self._pool.ref


@asynccontextmanager
async def function_host() -> AsyncGenerator[Host]:
    async with ActorSystem("test") as system:
        yield FunctionHost(system, [])


@pytest.fixture
def make_host() -> Callable[[], AbstractAsyncContextManager[Host]]:
    return function_host


@pytest.fixture
def awaited() -> list[str]:
    """Names of the nodes that `host` was awaited for."""
    return []


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem("test") as made:
        yield made


@pytest.fixture
async def host(system: ActorSystem, awaited: list[str]) -> Host:
    return FunctionHost(system, awaited)


@pytest.fixture
def builder() -> WorkflowBuilder:
    return WorkflowBuilder()


async def _value(value: object) -> dict[str, object]:
    return {"value": value}


@pytest.fixture
def value() -> Callable[..., object]:
    """A function whose output ``value`` is its input ``value``."""
    return _value
