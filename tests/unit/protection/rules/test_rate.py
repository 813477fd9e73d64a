from __future__ import annotations

import pytest

from dataflow.errors import PolicyError
from dataflow.protection.rules import Rate, RateMeter
from dataflow.protection.rules._rate import read_rate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/minute", Rate(100, 60.0)),
        ("1 / second", Rate(1, 1.0)),
        ("5/hours", Rate(5, 3_600.0)),
        ("0/day", Rate(0, 86_400.0)),
    ],
)
def test_a_rate_is_a_count_within_a_time(text: str, rate: Rate) -> None:
    assert read_rate(text, "r") == rate


@pytest.mark.parametrize(
    ("text", "problem"),
    [("often", "100/minute"), ("3/minit", "did you mean 'minute'"), (3, "100/minute")],
)
def test_what_is_no_rate_is_refused(text: object, problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        read_rate(text, "r")


def test_so_many_pass_within_any_stretch_of_the_time() -> None:
    clock = Clock()
    meter = RateMeter(clock)
    rate = Rate(2, 10.0)
    seen: list[bool] = []
    for now in (0.0, 5.0, 9.9, 10.0, 14.9, 15.0):
        clock.now = now
        seen.append(meter.is_over("ada", rate))

    assert seen == [False, False, True, False, True, False]


def test_each_key_is_counted_by_itself_and_asking_counts_nothing() -> None:
    meter = RateMeter(Clock())
    rate = Rate(1, 10.0)

    assert not meter.is_over("ada", rate, note=False)
    assert not meter.is_over("ada", rate)
    assert meter.is_over("ada", rate)
    assert not meter.is_over("bob", rate)


def test_whoever_was_silent_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataflow.protection.rules._rate._PRINCIPALS", 2)
    meter = RateMeter(Clock())
    rate = Rate(1, 10.0)
    for name in ("ada", "bob", "cyd"):
        meter.is_over(name, rate)

    assert meter.is_over("cyd", rate)
    assert not meter.is_over("ada", rate)
