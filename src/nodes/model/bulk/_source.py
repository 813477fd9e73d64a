"""Where the rows of a bulk node come from, read a batch at a time.

A list or a tuple; an iterator or anything else that can be iterated; an asynchronous
one; Arrow tables and record batches, alone or iterated. Only the batch in hand is
held. A source that can be read once is looked at by nobody before it is read.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import islice
from typing import Any, Final, cast, final

from ....errors import FieldValueError, MissingFieldError
from ....models import Model
from ...limits import Pace
from ..parameters import as_list, came

__all__ = ["Rows", "Source", "rows_of"]

_EXPECTED: Final = "rows: a list, an iterable, an asynchronous iterable or Arrow data"
_AT_ONCE: Final = 1_000
"""Rows that are read of an iterator before others go on: it is somebody's code."""
_FEW: Final = 40
"""The same while other tenants call."""
_ARROW_ROWS: Final = 1_000
"""Rows of a record batch that become dicts at once."""


_SINGLE: Final[tuple[type[object], ...]] = (str, bytes, bytearray, Mapping)
"""What can be iterated, and is one value all the same."""


class Rows(ABC):  # noqa: B024  it only tells classes apart
    """Anything that rows may come from; for the port that takes it."""

    @classmethod
    def __subclasshook__(cls, subclass: type[object], /) -> bool:
        """Whether instances can be iterated, and are no single value."""
        if issubclass(subclass, _SINGLE):
            return False
        names = ("__iter__", "__aiter__", "to_batches", "to_pylist")
        return any(hasattr(subclass, name) for name in names)


def rows_of(data: object, model: Model, owner: str) -> Sequence[object] | None:
    """Return *data* if it is a list or a tuple; None if it can be read once only.

    Raises:
        MissingFieldError: There is none.
        FieldValueError: Rows cannot come from it.
    """
    if data is None:
        raise MissingFieldError(owner, "data", f"a list of {model.name} rows")
    if not isinstance(data, Rows):
        raise FieldValueError(owner, "data", came(data), _EXPECTED)
    return as_list(data)


@final
class Source:
    """Reads rows in batches.

    Args:
        data: What `rows_of` accepted.
        pace: At which iterators are read.
    """

    def __init__(self, data: object, pace: Pace) -> None:
        self._pace = pace
        self._rows: Iterator[Any] | None = None
        self._coming: AsyncIterator[Any] | None = None
        self._list: Sequence[Any] = ()
        self._at = 0
        self._waiting: list[Any] = []
        if isinstance(data, AsyncIterable):
            self._coming = aiter(cast("AsyncIterable[Any]", data))  # type: ignore[redundant-cast]
        elif (rows := as_list(data)) is not None and not _has_batches(rows):
            self._list = rows
        else:
            self._rows = _iterate(data)

    async def take(self, count: int) -> Sequence[Any]:
        """Return the next *count* rows; fewer only at the end.

        If cancelled, rows that the source has given may be lost.
        """
        if self._coming is not None:
            await self._receive(self._coming, count)
        elif self._rows is not None:
            await self._draw(self._rows, count)
        else:
            start, self._at = self._at, self._at + count
            return self._list[start : start + count]
        rows, self._waiting = self._waiting[:count], self._waiting[count:]
        return rows

    async def is_over(self) -> bool:
        """Whether there are no more rows; reads one to know."""
        if self._coming is not None:
            await self._receive(self._coming, 1)
        elif self._rows is not None:
            await self._draw(self._rows, 1)
        else:
            return self._at >= len(self._list)
        return not self._waiting

    async def aclose(self) -> None:
        """End an asynchronous generator, which may not have been read to its end.

        Nobody else can when it is at rest: Trio only warns of one that is left behind.
        """
        coming = self._coming
        if isinstance(coming, AsyncGenerator):
            await cast("AsyncGenerator[Any]", coming).aclose()

    async def _draw(self, rows: Iterator[Any], count: int) -> None:
        """Do the same with rows that nobody waits for; others go on in between."""
        while (n := min(count - len(self._waiting), self._at_once())) > 0:
            before = len(self._waiting)
            self._waiting += islice(rows, n)
            if len(self._waiting) - before < n:
                return
            if len(self._waiting) < count:
                await self._pace.go_on()

    def _at_once(self) -> int:
        return self._pace.at_once(_AT_ONCE, _FEW)

    async def _receive(self, coming: AsyncIterator[Any], count: int) -> None:
        """See to it that *count* rows wait, or all that are left."""
        while len(self._waiting) < count:
            try:
                row = await anext(coming)
            except StopAsyncIteration:
                break
            if type(row) is dict or not _is_arrow(row):
                self._waiting.append(row)
            else:
                self._waiting += _iterate(row)


def _is_arrow(value: object) -> bool:
    """Whether *value* is a table or record batch; nothing has to be imported."""
    return not isinstance(value, Mapping) and hasattr(value, "to_pylist")


def _has_batches(rows: Sequence[object]) -> bool:
    return bool(rows) and _is_arrow(rows[0])


def _iterate(data: object) -> Iterator[Any]:
    """Yield the rows of what can be iterated, those inside of Arrow data too."""
    if not _is_arrow(data):
        for row in cast("Iterable[Any]", data):
            if type(row) is dict or not _is_arrow(row):
                yield row
            else:
                yield from _iterate(row)
        return
    arrow: Any = data
    batches = arrow.to_batches() if hasattr(arrow, "to_batches") else (arrow,)
    for batch in batches:
        for at in range(0, batch.num_rows, _ARROW_ROWS):
            yield from batch.slice(at, _ARROW_ROWS).to_pylist()
