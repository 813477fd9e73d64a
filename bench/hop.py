"""What a node, and an actor with three layers around it, cost without a database."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal

import anyio
from contest import Effort, Operation, compete
from figure import Figure, Limit
from job import Job

from dataflow import DataFlow, Workflow, WorkflowBuilder
from dataflow.actors import Actor, ActorSystem, Handler, Turn

__all__ = ["jobs"]

AT_MOST: Final = Limit.at_most(plus=25e-6)
_CHAIN: Final = 10


async def _same(value: Any = None) -> Any:  # noqa: ANN401  # whatever it is given
    return value


def _chain(length: int) -> Workflow:
    """Return a workflow of functions, each connected to the one before."""
    builder = WorkflowBuilder()
    for number in range(length):
        builder.add_node(_same, f"node-{number}", {} if number else {"value": 1})
        if number:
            builder.add_connection(
                f"node-{number - 1}", "result", f"node-{number}", "value"
            )
    return builder.build()


class _Echo(Actor):
    async def receive(self, message: object) -> object:
        return message


async def _pass_on(turn: Turn, call_next: Handler) -> None:
    await call_next(turn)


async def _measure(place: str, effort: Effort) -> list[Figure]:
    one, chain = _chain(1), _chain(_CHAIN)
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'unused.db'}"
        async with DataFlow(url) as db, ActorSystem() as system:
            ask = system.spawn(_Echo, "echo", interceptors=[_pass_on] * 3).ask
            operations: dict[str, Operation] = {
                "one function node": lambda: db.run(one),
                f"function node in a chain of {_CHAIN}": lambda: db.run(chain),
                "ask, 3 interceptors": lambda: ask(1),
            }
            seconds = await compete(
                operations, effort.scaled(rounds=2, size=2), of=fmean
            )
    return [
        Figure(
            operation=name, place=place, ours=_per_node(name, figures), limit=AT_MOST
        )
        for name, figures in seconds.items()
    ]


def _per_node(name: str, seconds: Sequence[float]) -> list[float]:
    nodes = _CHAIN if "chain" in name else 1
    return [each / nodes for each in seconds]


def jobs(backend: Literal["asyncio", "trio"], effort: Effort) -> list[Job]:
    """Return what to measure on one event loop; a round is the mean of a batch."""

    def measure() -> list[Figure]:
        return anyio.run(_measure, backend, effort, backend=backend)

    return [Job("hop", "a hop", backend, measure)]
