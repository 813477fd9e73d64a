"""For how long tenants have had calls in hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.nodes.limits._busy import Busy

TENANTS = "abc"
STEPS = st.lists(st.tuples(st.sampled_from(TENANTS), st.booleans(), st.integers(0, 9)))


@given(STEPS)
def test_it_is_the_time_between_the_first_call_and_the_last_answer(
    steps: list[tuple[str, bool, int]],
) -> None:
    busy, now = Busy(), 100
    seconds, in_hand = dict.fromkeys(TENANTS, 0), set[str]()
    for tenant, is_call, pause in steps:
        if is_call:
            busy.begin(tenant, now)
            in_hand.add(tenant)
        else:
            busy.end(tenant, now)
            in_hand.discard(tenant)
        now += pause
        for each in in_hand:
            seconds[each] += pause

    for tenant in TENANTS:
        of_others = sum(seconds.values()) - seconds[tenant]
        assert busy.of_others(tenant, now) == pytest.approx(of_others)
