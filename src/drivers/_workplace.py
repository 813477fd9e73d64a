"""Work of several steps on one connection, carried to it instead of step by step.

A hop to the thread of a SQLite connection and back costs five times what a statement
takes. What asks, decides by the answer, and asks again goes there as a whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..errors import DriverError
from ..sql import Result, Statement

__all__ = ["Inside", "Work", "Workplace", "finished"]

T = TypeVar("T")


class Inside(Protocol):
    """The connection, as work sees it that is done where the connection is."""

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, in the transaction of the work.

        Raises:
            DriverError: The database refused; the work is undone with it.
        """
        ...

    async def run_apart(self, group: Sequence[Statement]) -> list[Result] | DriverError:
        """Run a group of statements, all or nothing; return why they were undone."""
        ...


Work = Callable[[Inside], Coroutine[Any, Any, T]]


@runtime_checkable
class Workplace(Protocol):
    """A connection that takes work as a whole."""

    @property
    def takes_work(self) -> bool:
        """Whether no transaction is open, which the work would be part of."""
        ...

    def run_work(self, work: Work[T]) -> Awaitable[T]:
        """Do *work* in one transaction, which commits at its end.

        It awaits nothing but what it is given, and may run in another thread. What it
        raises undoes all of it. If cancelled, what runs is stopped and nothing is kept,
        unless it was about to end: then it is unknown whether it was done.
        """
        ...


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* that never waits to its end, and return what it returns."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    msg = "work on a connection waits for nothing but that"
    raise RuntimeError(msg)
