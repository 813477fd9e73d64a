"""A queue of several lanes, which are served in turns and by their weights.

Start-time fair queueing. Source: P. Goyal, H. M. Vin, H. Cheng, *Start-time Fair
Queueing: A Scheduling Algorithm for Integrated Services Packet Switching Networks*,
IEEE/ACM Transactions on Networking 5(5), 1997, section II.

Rules of this file
* Every item costs 1. Its start tag is the later of the queue's time and the finish tag
  of the item before it in its lane; its finish tag is 1/weight after that. The least
  start tag is served first, of equal ones the one that stood there first. The queue's
  time is the start tag of what was served last.
* So a lane that comes anew waits for one item of each other lane at most, whatever
  these hold; and within a lane items keep their order.
* Only the first item of a lane has its tag computed, when it gets there: in the heap
  is one entry for each lane. Entries that no longer count are skipped when met.
* An empty queue starts anew, except that whoever is served just then has had a turn,
  if it is said. As long as there is but one lane, nothing of this is
  done: it is a deque.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Hashable
from heapq import heappop, heappush
from itertools import chain
from typing import Final, Generic, TypeVar, final

__all__ = ["FairQueue"]

T = TypeVar("T")

_FORGET_FROM: Final = 64
"""Lanes that have gone, from which on it is looked which of them may be forgotten."""


def _equal(_: Hashable) -> float:
    return 1.0


class _Lane(Generic[T]):
    """The items of one lane, and the tag of the first.

    Attributes:
        key: What the lane is called.
        items: In their order.
        start: Start tag of the first item.
        number: Of its one entry in the heap that counts.
    """

    __slots__ = ("items", "key", "number", "start")

    def __init__(self, key: Hashable, items: deque[T], start: float) -> None:
        self.key = key
        self.items = items
        self.start = start
        self.number = 0


@final
class FairQueue(Generic[T]):
    """Items of several lanes.

    Args:
        weight: How much of the turns a lane gets, as against others; more than 0. It is
            asked each time an item of the lane was taken, so it may change. By default
            all get the same.
    """

    __slots__ = (
        "_alone",
        "_alone_key",
        "_alone_start",
        "_finished",
        "_heap",
        "_lanes",
        "_n_entries",
        "_now",
        "_size",
        "_weight",
    )

    def __init__(self, weight: Callable[[Hashable], float] | None = None) -> None:
        self._weight = weight or _equal
        self._size = 0
        self._alone: deque[T] = deque()
        self._alone_key: Hashable = None
        self._alone_start = 0.0
        self._lanes: dict[Hashable, _Lane[T]] = {}
        self._heap: list[tuple[float, int, _Lane[T]]] = []
        self._n_entries = 0
        self._now = 0.0
        self._finished: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return self._size

    @property
    def n_lanes(self) -> int:
        """How many lanes have items."""
        return len(self._lanes) or int(bool(self._alone))

    def count(self, key: Hashable) -> int:
        """Return how many items a lane has."""
        if self._lanes:
            lane = self._lanes.get(key)
            return 0 if lane is None else len(lane.items)
        return len(self._alone) if key == self._alone_key else 0

    def counts(self) -> dict[Hashable, int]:
        """Return how many items each lane has, of those that have any."""
        if self._lanes:
            return {key: len(lane.items) for key, lane in self._lanes.items()}
        return {self._alone_key: len(self._alone)} if self._alone else {}

    def push(self, key: Hashable, item: T, *, is_served: bool = False) -> None:
        """Put an item at the end of a lane.

        Args:
            key: What the lane is called.
            item: What to put there.
            is_served: Whether one of the lane is being served that did not wait here:
                then it is not the first one's turn, if others wait.
        """
        self._size += 1
        if not self._lanes:
            if not self._alone:
                self._alone_key = key
                self._alone_start = 1.0 / self._weight(key) if is_served else 0.0
            if key == self._alone_key:
                self._alone.append(item)
                return
            self._split()
        lane = self._lanes.get(key)
        if lane is not None:
            lane.items.append(item)
            return
        start = self._now + (1.0 / self._weight(key) if is_served else 0.0)
        start = max(start, self._finished.pop(key, 0.0))
        lane = self._lanes[key] = _Lane(key, deque((item,)), start)
        self._enter(lane)

    def pop(self, held_back: Container[Hashable] = ()) -> T | None:
        """Take the item whose turn it is; None if there is none.

        Args:
            held_back: Lanes that are passed over.
        """
        if not self._lanes:
            if not self._alone or self._alone_key in held_back:
                return None
            self._size -= 1
            return self._alone.popleft()
        passed: list[_Lane[T]] = []
        item: T | None = None
        while self._heap:
            start, number, lane = heappop(self._heap)
            if number != lane.number:
                continue
            if lane.key in held_back:
                passed.append(lane)
                continue
            self._now = start
            item = self._serve(lane)
            break
        for lane in passed:
            # What a lane could not take it does not make up for later.
            lane.start = max(lane.start, self._now)
            self._enter(lane)
        return item

    def pop_from(self, key: Hashable) -> T | None:
        """Take the first item of a lane, whose turn counts as served; None without."""
        if not self._lanes:
            return self.pop() if key == self._alone_key else None
        lane = self._lanes.get(key)
        return None if lane is None else self._serve(lane)

    def remove(self, item: T) -> bool:
        """Take an item out wherever it is; False when it is not here."""
        if not self._lanes:
            if item not in self._alone:
                return False
            self._alone.remove(item)
            self._size -= 1
            return True
        for lane in self._lanes.values():
            if item in lane.items:
                lane.items.remove(item)
                self._size -= 1
                if not lane.items:
                    self._leave(lane)
                return True
        return False

    def clear(self) -> list[T]:
        """Take everything out; lane by lane."""
        items = list(chain(self._alone, *(each.items for each in self._lanes.values())))
        self._alone.clear()
        self._reset()
        return items

    # -- lanes -------------------------------------------------------------------

    def _split(self) -> None:
        """Go on with several lanes; the one there is comes first."""
        lane = _Lane(self._alone_key, self._alone, self._alone_start)
        self._alone = deque()
        self._lanes[lane.key] = lane
        self._enter(lane)

    def _enter(self, lane: _Lane[T]) -> None:
        """Make an entry for the first item of a lane; one before does not count."""
        self._n_entries += 1
        lane.number = self._n_entries
        heappush(self._heap, (lane.start, lane.number, lane))

    def _serve(self, lane: _Lane[T]) -> T:
        """Take the first item of a lane."""
        self._size -= 1
        item = lane.items.popleft()
        lane.start += 1.0 / self._weight(lane.key)
        if lane.items:
            self._enter(lane)
        else:
            self._leave(lane)
        return item

    def _leave(self, lane: _Lane[T]) -> None:
        """Forget a lane that is empty, though not yet what it was given."""
        lane.number = 0
        del self._lanes[lane.key]
        if not self._lanes:
            self._reset()
            return
        if lane.start > self._now:
            self._finished[lane.key] = lane.start
        if len(self._finished) >= _FORGET_FROM + 2 * len(self._lanes):
            self._finished = {
                key: finish
                for key, finish in self._finished.items()
                if finish > self._now
            }

    def _reset(self) -> None:
        """Start anew, with nothing in it."""
        self._size = len(self._alone)
        self._lanes.clear()
        self._heap.clear()
        self._finished.clear()
        self._n_entries = 0
        self._now = 0.0
