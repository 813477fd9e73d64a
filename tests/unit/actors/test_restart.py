from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.actors import RestartPolicy
from dataflow.actors._restart import RestartWindow


@given(attempt=st.integers(1, 2_000), seed=st.integers())
def test_a_delay_is_jittered_up_to_a_bound_that_doubles(
    attempt: int, seed: int
) -> None:
    policy = RestartPolicy(first_delay_s=0.1, max_delay_s=2.0)

    delay_s = policy.delay_s(attempt, Random(seed))  # noqa: S311  jitter, not a secret

    assert 0 <= delay_s <= 2.0
    if attempt < 5:
        assert delay_s <= 0.1 * 2 ** (attempt - 1)


def test_the_delay_comes_from_the_given_random() -> None:
    policy = RestartPolicy(first_delay_s=1.0)

    random, same = Random(7), Random(7)  # noqa: S311  jitter, not a secret

    assert policy.delay_s(1, random) == same.uniform(0, 1.0)


def test_restarts_outside_the_window_are_forgotten() -> None:
    window = RestartWindow(RestartPolicy(max_restarts=2, window_s=10.0))
    admitted = [window.admit(now) for now in (0.0, 1.0, 2.0, 10.5, 11.5, 11.6)]

    assert admitted == [1, 2, None, 2, 2, None]


def test_a_cleared_window_admits_again() -> None:
    window = RestartWindow(RestartPolicy(max_restarts=1))
    assert window.admit(0.0) == 1
    assert window.admit(0.0) is None
    window.clear()

    assert window.admit(0.0) == 1


def test_no_restarts_at_all_is_a_policy_too() -> None:
    assert RestartWindow(RestartPolicy(max_restarts=0)).admit(0.0) is None


@pytest.mark.parametrize(
    "name", ["max_restarts", "window_s", "first_delay_s", "max_delay_s"]
)
def test_a_negative_policy_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RestartPolicy(**{name: -1})
