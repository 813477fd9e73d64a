from __future__ import annotations

import pytest

from dataflow.lanes import TokenBucket


def test_a_bucket_gives_its_size_at_once_and_then_its_rate() -> None:
    now = 0.0
    bucket = TokenBucket(2.0, 3.0, lambda: now)
    assert [bucket.take_nowait() for _ in range(4)] == [True, True, True, False]
    assert bucket.delay_s == pytest.approx(0.5)
    now += 0.5
    assert (bucket.take_nowait(), bucket.take_nowait()) == (True, False)
    bucket.give_back()
    assert bucket.take_nowait()
    assert not bucket.is_full


def test_a_bucket_that_was_filled_goes_on_at_another_rate() -> None:
    now = 0.0
    bucket = TokenBucket(2.0, 3.0, lambda: now)
    bucket.take_nowait()
    now += 100
    assert bucket.is_full
    bucket.change(1.0, 1.0)

    assert [bucket.take_nowait() for _ in range(2)] == [True, False]
