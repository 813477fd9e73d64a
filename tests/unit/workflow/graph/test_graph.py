from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataflow.workflow.graph._graph import find_cycle, order

Graph = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"n{index}" for index in range(draw(st.integers(0, 8)))]
    followers = st.lists(st.sampled_from(names), max_size=6) if names else st.just([])
    return {name: draw(followers) for name in names}


@given(graphs())
def test_each_node_comes_once_and_after_all_that_lead_to_it(graph: Graph) -> None:
    arranged = order(graph)

    assert len(arranged) == len(set(arranged))
    for name, followers in graph.items():
        for follower in followers:
            if follower in arranged:
                assert arranged.index(name) < arranged.index(follower)


@given(graphs())
def test_there_is_a_cycle_exactly_when_nodes_are_left_out(graph: Graph) -> None:
    cycle = find_cycle(graph)

    assert bool(cycle) == (len(order(graph)) < len(graph))
    assert len(cycle) == len(set(cycle))
    for name, follower in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        assert follower in graph[name]


def test_among_equals_the_given_order_stays() -> None:
    assert order({"b": [], "a": ["c"], "d": [], "c": []}) == ["b", "a", "d", "c"]


def test_a_cycle_is_told_from_the_node_that_was_added_first() -> None:
    graph = {"in": ["a"], "a": ["b"], "b": ["c"], "c": ["a", "out"], "out": []}

    assert find_cycle(graph) == ("a", "b", "c")
