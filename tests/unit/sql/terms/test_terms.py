"""Terms of several layers are kept together."""

from __future__ import annotations

from dataflow.sql import Terms, Touch


def test_what_one_of_two_refuses_is_refused() -> None:
    first, second = ValueError("first"), KeyError("second")
    one = Terms(permits=lambda touch: first if touch.action == "delete" else None)
    other = Terms(permits=lambda touch: None if touch.action == "read" else second)
    both = (one & other).permits
    alone = (Terms() & one).permits

    assert both is not None
    assert both(Touch("delete", "items")) is first
    assert both(Touch("update", "items")) is second
    assert both(Touch("read", "items")) is None
    assert alone is one.permits
