from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.errors import (
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
    UnknownNodeError,
    WorkflowError,
)
from dataflow.messages import Message
from dataflow.nodes._node import Host, Node, Port
from dataflow.workflow import PARAMETER, WorkflowBuilder, run
from dataflow.workflow.running._run_id import new_run_id

Function = Callable[..., object]
MakeHost = Callable[[], AbstractAsyncContextManager[Host]]


async def add(left: int, right: int = 0) -> int:
    return left + right


async def test_a_run_returns_the_results_by_node_and_its_id(
    host: Host, builder: WorkflowBuilder
) -> None:
    builder.add_node(add, "sum", {"left": 1, "right": 2})

    assert await run(host, builder.build(), run_id="r") == (
        {"sum": {"result": 3}},
        "r",
    )


async def test_the_first_message_waits_for_the_host_and_later_ones_do_not(
    host: Host, builder: WorkflowBuilder, awaited: list[str]
) -> None:
    builder.add_node(add, "a", {"left": 1})
    builder.add_node(add, "b", {"left": 1})
    await run(host, builder.build())
    await run(host, builder.build())

    assert awaited == ["add"]


async def test_a_connection_carries_what_its_path_leads_to(
    host: Host, builder: WorkflowBuilder
) -> None:
    async def search() -> dict[str, Any]:
        return {"records": [{"id": 7}, {"id": 8}]}

    builder.add_node(search, "search")
    builder.add_node(add, "sum", {"right": 1})
    builder.add_connection("search", "records.-1.id", "sum", "left")
    results, _ = await run(host, builder.build())

    assert results["sum"] == {"result": 9}


async def test_a_node_waits_for_all_connections_and_feeds_all_behind_it(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(add, "join")
    builder.add_node(value, "left", {"value": 1})
    builder.add_node(value, "right", {"value": 2})
    builder.add_connection("left", "value", "join", "left")
    builder.add_connection("right", "value", "join", "right")
    for name in ("x", "y"):
        builder.add_node(value, name)
        builder.add_connection("join", "result", name, "value")
    results, _ = await run(host, builder.build())

    assert results["x"] == results["y"] == {"value": 3}
    assert list(results) == ["left", "right", "join", "x", "y"]


async def test_nodes_that_do_not_wait_for_each_other_run_at_once(
    host: Host, builder: WorkflowBuilder
) -> None:
    met = {"a": anyio.Event(), "b": anyio.Event()}

    async def meet(me: str, other: str) -> None:
        met[me].set()
        await met[other].wait()

    builder.add_node(meet, "a", {"me": "a", "other": "b"})
    builder.add_node(meet, "b", {"me": "b", "other": "a"})
    with anyio.fail_after(10):
        results, _ = await run(host, builder.build())

    assert results == {"a": {"result": None}, "b": {"result": None}}


async def test_more_nodes_than_actors_all_run(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    names = [f"n{index}" for index in range(50)]
    for name in names:
        builder.add_node(value, name, {"value": name})
    with anyio.fail_after(10):
        results, _ = await run(host, builder.build())

    assert results == {name: {"value": name} for name in names}


async def test_one_workflow_runs_several_times_at_once(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": PARAMETER})
    workflow = builder.build()
    results: dict[int, Any] = {}

    async def start(number: int) -> None:
        done, run_id = await run(host, workflow, {"a": {"value": number}})
        results[number] = (done, run_id)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(start, number)

    assert all(done["a"] == {"value": n} for n, (done, _) in results.items())
    assert len({run_id for _, run_id in results.values()}) == 20


# -- parameters of a run ----------------------------------------------------------


async def test_a_run_supplies_what_was_promised_and_may_replace_constants(
    host: Host, builder: WorkflowBuilder
) -> None:
    builder.add_node(add, "sum", {"left": PARAMETER, "right": 2})
    workflow = builder.build()

    results, _ = await run(host, workflow, {"sum": {"left": 1}})
    replaced, _ = await run(host, workflow, {"sum": {"left": 1, "right": 9}})

    assert results["sum"] == {"result": 3}
    assert replaced["sum"] == {"result": 10}


async def test_what_arrives_goes_above_what_the_run_was_given(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})
    builder.add_node(add, "sum", {"left": 100})
    builder.add_connection("a", "value", "sum", "left")
    results, _ = await run(host, builder.build(), {"sum": {"left": 200}})

    assert results["sum"] == {"result": 1}


@pytest.mark.parametrize(
    ("parameters", "error", "said"),
    [
        (None, MissingFieldError, "promised to parameters={'sum': {'left': ...}}"),
        ({"sum": {"right": 1}}, MissingFieldError, "promised to parameters="),
        ({"sum": {"left": "1"}}, FieldValueError, "add 'sum'.left takes int, not str"),
        ({"sum": {"left": 1, "x": 1}}, UnknownFieldError, "has no 'x'"),
        (
            {"sum": {"left": 1}, "summ": {}},
            UnknownNodeError,
            "did you mean 'sum'",
        ),
        (
            {"sum": {"left": 1}, "other": 5},
            TypeError,
            "parameters['other'] is a mapping of names to values",
        ),
    ],
)
async def test_parameters_of_a_run_that_do_not_fit_are_refused_before_it_starts(
    host: Host,
    builder: WorkflowBuilder,
    parameters: Mapping[str, Any] | None,
    error: type[Exception],
    said: str,
) -> None:
    ran: list[int] = []

    async def note() -> None:
        ran.append(1)

    builder.add_node(note, "other")
    builder.add_node(add, "sum", {"left": PARAMETER})

    with pytest.raises(error) as caught:
        await run(host, builder.build(), parameters)
    assert said in str(caught.value)
    assert not ran


# -- conditions ---------------------------------------------------------------------


async def test_a_node_that_gets_nothing_is_skipped_with_all_behind_it(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})
    for source, target in (("a", "b"), ("b", "c"), ("c", "d")):
        builder.add_node(value, target)
        when = (2).__eq__ if target == "b" else None
        builder.add_connection(source, "value", target, "value", when=when)
    results, _ = await run(host, builder.build())

    assert results == {"a": {"value": 1}}


async def test_a_node_runs_with_what_arrived_and_a_constant_stands_in(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})
    builder.add_node(add, "sum", {"right": 40})
    builder.add_connection("a", "value", "sum", "left")
    builder.add_connection("a", "value", "sum", "right", when=lambda _: False)
    results, _ = await run(host, builder.build())

    assert results["sum"] == {"result": 41}


async def test_one_of_two_branches_is_taken_and_the_join_behind_them_runs(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    async def join(**arrived: int) -> dict[str, int]:
        return arrived

    builder.add_node(value, "choose", {"value": 5})
    for name, least in (("small", 0), ("large", 10)):
        builder.add_node(value, name)
        builder.add_connection(
            "choose",
            "value",
            name,
            "value",
            when=range(least, least + 10).__contains__,
        )
    builder.add_node(join, "join")
    builder.add_connection("small", "value", "join", "small")
    builder.add_connection("large", "value", "join", "large")
    results, _ = await run(host, builder.build())

    assert results["join"] == {"small": 5}
    assert "large" not in results


async def test_a_required_input_that_was_skipped_fails_the_node(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "a", {"value": 1})
    builder.add_node(add, "sum")
    builder.add_connection("a", "value", "sum", "left", when=lambda _: False)
    builder.add_connection("a", "value", "sum", "right")

    with pytest.raises(WorkflowError, match="node 'sum' failed: add needs 'left'"):
        await run(host, builder.build())


async def test_a_long_line_of_skipped_nodes_needs_no_deep_stack(
    host: Host, builder: WorkflowBuilder, value: Function
) -> None:
    builder.add_node(value, "0", {"value": 1})
    for number in range(1, 3000):
        builder.add_node(value, str(number))
        builder.add_connection(
            str(number - 1), "value", str(number), "value", when=lambda _: False
        )
    with anyio.fail_after(20):
        results, _ = await run(host, builder.build())

    assert results == {"0": {"value": 1}}


# -- any graph ------------------------------------------------------------------------


@st.composite
def links(draw: st.DrawFn) -> list[set[int]]:
    """For each node, the nodes before it that it waits for."""
    count = draw(st.integers(1, 12))
    return [
        draw(st.sets(st.integers(0, node - 1), max_size=4)) if node else set[int]()
        for node in range(count)
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=links())
async def test_every_node_runs_once_after_all_it_waits_for(
    graph: list[set[int]], make_host: MakeHost
) -> None:
    ran: list[int] = []

    async def total(node: int, **arrived: int) -> dict[str, int]:
        assert set(ran) >= graph[node]
        if node % 3 == 0:
            await anyio.lowlevel.checkpoint()
        ran.append(node)
        return {"total": node + sum(arrived.values())}

    builder = WorkflowBuilder()
    for node in reversed(range(len(graph))):
        builder.add_node(total, f"n{node}", {"node": node})
        for source in graph[node]:
            builder.add_connection(f"n{source}", "total", f"n{node}", f"i{source}")
    async with make_host() as host:
        with anyio.fail_after(5):
            results, _ = await run(host, builder.build())
    expected: dict[int, int] = {}
    for node, sources in enumerate(graph):
        expected[node] = node + sum(expected[source] for source in sources)

    assert sorted(ran) == list(range(len(graph)))
    assert results == {f"n{n}": {"total": total} for n, total in expected.items()}


class Broken(Node):
    """A kind of node with a mistake in it."""

    name = "Broken"

    def accepts(self, name: str) -> Port | None:
        return Port(name)

    def offers(self, name: str) -> Port | None:
        return Port(name)

    def inputs(self) -> tuple[str, ...]:
        return ()

    outputs = inputs

    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        pass

    def message(self, parameters: dict[str, Any]) -> Message:
        msg = f"a mistake of {self.name}, given {parameters}"
        raise TypeError(msg)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_mistake_in_a_kind_of_node_is_no_failure_of_the_run(
    others: int, host: Host, builder: WorkflowBuilder
) -> None:
    builder.add_node(Broken(), "broken", on_error="continue")
    for number in range(others):
        builder.add_node(add, f"other-{number}", {"left": 1})

    with pytest.raises(TypeError, match="a mistake of Broken"):
        await run(host, builder.build())


def test_run_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(1000)]

    assert ids == sorted(set(ids))
