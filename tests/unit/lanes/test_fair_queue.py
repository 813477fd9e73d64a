from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.lanes import FairQueue

LANES = st.sampled_from("abcd")


def drained(queue: FairQueue[tuple[str, int]]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    while (item := queue.pop()) is not None:
        found.append(item)
    return found


@given(
    steps=st.lists(st.one_of(LANES, st.sampled_from([None, "remove"])), max_size=80),
    held_back=st.sets(LANES, max_size=2),
)
def test_nothing_is_lost_or_doubled_and_a_lane_keeps_its_order(
    steps: list[str | None], held_back: set[str]
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    model: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for number, step in enumerate(steps):
        if step is None:
            item = queue.pop(held_back)
            if item is None:
                assert all(not model[lane] for lane in model if lane not in held_back)
            else:
                assert item[0] not in held_back
                assert model[item[0]].pop(0) == item
        elif step == "remove":
            last = next((each[-1] for each in model.values() if each), ("a", -1))
            assert queue.remove(last) is bool(model[last[0]] and last[1] >= 0)
            if last in model[last[0]]:
                model[last[0]].remove(last)
        else:
            queue.push(step, (step, number))
            model[step].append((step, number))
        counts = {lane: len(each) for lane, each in model.items() if each}
        assert queue.counts() == counts
        assert (queue.n_lanes, len(queue)) == (len(counts), sum(counts.values()))
        assert all(queue.count(lane) == counts.get(lane, 0) for lane in "abcd")

    left = drained(queue)
    assert sorted(left) == sorted(item for each in model.values() for item in each)
    for lane in "abcd":
        assert [item for item in left if item[0] == lane] == model[lane]


@given(n_lanes=st.integers(1, 6), flood=st.integers(1, 200), taken=st.integers(0, 50))
def test_a_new_lane_waits_for_one_item_of_each_other_at_most(
    n_lanes: int, flood: int, taken: int
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for lane in range(n_lanes):
        for number in range(flood):
            queue.push(lane, (str(lane), number))
    for _ in range(min(taken, n_lanes * flood - 1)):
        queue.pop()
    queue.push("new", ("new", 0))

    order = [item[0] for item in drained(queue)]
    assert order.index("new") <= n_lanes
    assert max(Counter(order[: order.index("new")]).values(), default=0) <= 1


def test_weights_are_kept_in_the_long_run() -> None:
    weights: dict[Hashable, float] = {"a": 3.0, "b": 1.0, "c": 0.5}
    queue: FairQueue[tuple[str, int]] = FairQueue(weights.__getitem__)
    for lane in "abc":
        for number in range(1000):
            queue.push(lane, (lane, number))
    served = Counter(item[0] for _ in range(900) if (item := queue.pop()))

    assert abs(served["a"] - 600) <= 2
    assert abs(served["b"] - 200) <= 2
    assert abs(served["c"] - 100) <= 2


def test_a_lane_that_comes_back_at_once_gets_no_more_than_its_weight() -> None:
    weights: dict[Hashable, float] = {"a": 1.0, "b": 0.1}
    queue: FairQueue[tuple[str, int]] = FairQueue(weights.__getitem__)
    for number in range(1000):
        queue.push("a", ("a", number))
    queue.push("b", ("b", 0))
    served: list[str] = []
    for _ in range(220):
        item = queue.pop()
        assert item is not None
        served.append(item[0])
        if item[0] == "b":
            queue.push("b", ("b", 0))

    assert abs(served.count("b") - 20) <= 1


def test_the_first_of_a_lane_can_be_taken_out_of_turn() -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    assert queue.pop_from("a") is None
    queue.push("a", ("a", 0))
    assert queue.pop_from("b") is None
    queue.push("b", ("b", 0))
    queue.push("b", ("b", 1))

    assert queue.pop_from("c") is None
    assert queue.pop_from("b") == ("b", 0)
    queue.push("b", ("b", 2))
    assert drained(queue) == [("a", 0), ("b", 1), ("b", 2)]
    queue.push("a", ("a", 1))
    queue.push("b", ("b", 3))
    assert queue.clear() == [("a", 1), ("b", 3)]
    assert queue.pop_from("a") is None
    assert len(queue) == 0


def test_an_item_of_each_lane_can_be_taken_out() -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for lane in "ab":
        for number in range(2):
            queue.push(lane, (lane, number))
    assert queue.remove(("a", 1))
    assert queue.remove(("b", 0))
    assert queue.remove(("b", 1))
    assert not queue.remove(("b", 1))

    assert drained(queue) == [("a", 0)]


def test_lanes_that_have_gone_are_forgotten() -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(2000):
        queue.push("a", ("a", number))
    for number in range(1000):
        queue.push(number, ("other", number))
        queue.pop()
        queue.pop()

    assert len(queue._finished) < 100


@pytest.mark.parametrize("first", ["served", "other"])
def test_a_lane_that_is_being_served_has_had_its_turn(first: str) -> None:
    queue: FairQueue[str] = FairQueue()
    for lane in (first, "other" if first == "served" else "served"):
        queue.push(lane, lane, is_served=lane == "served")
        queue.push(lane, lane, is_served=lane == "served")

    assert [queue.pop() for _ in range(4)] == ["other", "served", "other", "served"]


def test_a_lane_that_is_being_served_waits_as_long_as_its_weight_says() -> None:
    queue: FairQueue[str] = FairQueue(lambda lane: 4.0 if lane == "heavy" else 1.0)
    for lane in ("heavy", "light"):
        for _ in range(3):
            queue.push(lane, lane, is_served=lane == "heavy")

    taken = [queue.pop() for _ in range(6)]

    assert taken == ["light", "heavy", "heavy", "heavy", "light", "light"]
