from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataflow.errors import PolicyError
from dataflow.protection import Window

ZURICH = "Europe/Zurich"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        ("2026-01-05 07:59", False),  # a Monday; Zurich is an hour ahead
        ("2026-01-05 08:00", True),
        ("2026-01-05 15:59", True),
        ("2026-01-05 16:00", False),
        ("2026-01-10 10:00", False),  # a Saturday
    ],
)
def test_hours_are_those_of_the_zone(now: str, *, holds: bool) -> None:
    days = ("mon", "tue", "wed", "thu", "fri")
    window = Window(days=days, start="09:00", end="17:00", zone=ZURICH)

    assert window.holds(at(now)) is holds
    outside = Window(
        days=days, start="09:00", end="17:00", is_outside=True, zone=ZURICH
    )
    assert outside.holds(at(now)) is not holds


def test_an_hour_that_comes_twice_is_inside_both_times() -> None:
    # On 25 October 2026 the clocks of Zurich go from 03:00 back to 02:00.
    window = Window(start="02:00", end="03:00", zone=ZURICH)
    minutes = [at("2026-10-24 23:00") + timedelta(minutes=n) for n in range(240)]
    inside = [each for each in minutes if window.holds(each)]

    assert len(inside) == 120
    assert inside[0] == at("2026-10-25 00:00")
    assert inside[-1] == at("2026-10-25 01:59")


def test_an_hour_that_is_left_out_is_never_reached() -> None:
    # On 29 March 2026 the clocks of Zurich go from 02:00 on to 03:00.
    window = Window(start="02:00", end="03:00", zone=ZURICH)
    minutes = (at("2026-03-28 23:00") + timedelta(minutes=n) for n in range(240))

    assert not any(window.holds(each) for each in minutes)


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        ("2026-01-05 21:59", False),
        ("2026-01-05 22:00", True),
        ("2026-01-06 05:59", True),  # Tuesday morning belongs to Monday's window
        ("2026-01-06 06:00", False),
        ("2026-01-06 22:00", False),
        ("2026-01-05 05:00", False),  # Monday morning would be Sunday's
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_it_starts(
    now: str, *, holds: bool
) -> None:
    assert Window(days="mon", start="22:00", end="06:00").holds(at(now)) is holds


def test_a_stretch_of_time_has_a_first_and_a_last_moment() -> None:
    since, until = at("2026-05-01 00:00"), at("2026-06-01 00:00")
    window = Window(since=since, until=until)

    assert window.holds(since)
    assert not window.holds(until)
    assert not window.holds(since - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"zone": "Europe/Zurick"}, "did you mean 'Europe/Zurich'"),
        ({"zone": "qqqqqqq"}, "use a name such as"),
        ({"days": ["mon", "tuu"]}, "did you mean 'tue'"),
        ({"start": "nine"}, "is no time of day"),
        ({"end": "09:00+01:00"}, "is no time of day"),
        ({"since": datetime(2026, 1, 1)}, "need a time zone"),  # noqa: DTZ001  # that is the point
    ],
)
def test_what_is_no_window_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        Window(**given)


def test_a_machine_without_time_zones_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set[str])

    with pytest.raises(PolicyError, match="pip install tzdata"):
        Window(zone="Nowhere/Atall")
