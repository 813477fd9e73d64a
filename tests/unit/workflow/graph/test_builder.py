from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataflow.errors import (
    CycleError,
    EdgeError,
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
    UnknownNodeError,
    WorkflowBuildError,
)
from dataflow.nodes._function import FunctionNode
from dataflow.nodes._node import Node
from dataflow.workflow import PARAMETER, WorkflowBuilder, plug_in

Function = Callable[..., object]


async def add(left: int, right: int = 0) -> int:
    return left + right


async def shout(text: str) -> str:
    return text.upper()


async def maybe(number: int) -> int | None:
    return number or None


def resolve(name: str) -> Node:
    known = {"AddNode": FunctionNode(add), "ShoutNode": FunctionNode(shout)}
    if name not in known:
        raise UnknownNodeError(name, tuple(known))
    return known[name]


def test_a_workflow_keeps_its_nodes_in_order_of_their_connections() -> None:
    builder = WorkflowBuilder(resolve, name="sums")
    assert builder.add_node("AddNode", "second") == "second"
    builder.add_node(add, "first", {"left": 1})
    builder.add_connection("first", "result", "second", "left")
    workflow = builder.build()

    assert list(workflow.steps) == ["first", "second"]
    assert [step.id for step in workflow.roots] == ["first"]
    assert [str(edge) for edge in workflow.edges] == ["first.result -> second.left"]
    assert repr(workflow) == "<Workflow 'sums': first, second>"


def test_a_builder_goes_on_after_build_and_leaves_what_was_built() -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "a", {"left": 1})
    before = builder.build()
    builder.add_node(add, "b", {"left": 1})

    assert list(before.steps) == ["a"]
    assert list(builder.build().steps) == ["a", "b"]


def test_connections_may_be_chained_and_come_before_their_nodes() -> None:
    builder = WorkflowBuilder()
    builder.add_connection("a", "result", "b", "left").add_connection(
        "a", "result", "b", "right"
    )
    builder.add_node(add, "b")
    builder.add_node(add, "a", {"left": 1})

    assert list(builder.build().steps) == ["a", "b"]


def test_a_later_change_of_the_parameters_does_not_reach_the_workflow() -> None:
    parameters = {"left": 1}
    builder = WorkflowBuilder()
    builder.add_node(add, "a", parameters)
    parameters["left"] = 2

    assert builder.build().steps["a"].parameters == {"left": 1}


def test_an_empty_workflow_is_refused() -> None:
    with pytest.raises(WorkflowBuildError, match="is empty: add a node"):
        WorkflowBuilder().build()


def test_an_unknown_node_type_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNodeError, match="did you mean 'AddNode'"):
        WorkflowBuilder(resolve).add_node("AdNode", "a")


def test_what_is_plugged_in_resolves_for_builders_without_a_resolver() -> None:
    builder = WorkflowBuilder()
    with pytest.raises(UnknownNodeError):
        builder.add_node("AddNode", "a")
    from dataflow.workflow._plugs import plugs  # noqa: PLC0415

    before = plugs.resolve
    plug_in(resolve=resolve)
    try:
        builder.add_node("AddNode", "a", {"left": 1})
    finally:
        plug_in(resolve=before)

    assert builder.build().steps["a"].node == FunctionNode(add)


def test_a_second_node_of_the_same_id_is_refused() -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "a", {"left": 1})

    with pytest.raises(WorkflowBuildError, match="two nodes 'a'"):
        builder.add_node(add, "a", {"left": 1})


def test_an_unknown_reaction_to_errors_is_refused() -> None:
    with pytest.raises(ValueError, match="on_error is 'fail' or 'continue'"):
        WorkflowBuilder().add_node(add, "a", on_error="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.fixture
def two() -> WorkflowBuilder:
    builder = WorkflowBuilder()
    builder.add_node(add, "sum", {"left": 1})
    builder.add_node(shout, "shout", {"text": "x"})
    return builder


@pytest.mark.parametrize(("source", "target"), [("summ", "shout"), ("shout", "summ")])
def test_a_connection_to_an_unknown_node_is_refused_with_the_nearest_id(
    two: WorkflowBuilder, source: str, target: str
) -> None:
    two.add_connection(source, "result", target, "text")

    with pytest.raises(UnknownNodeError, match="did you mean 'sum'") as caught:
        two.build()
    assert caught.value.__notes__ == [
        f"in the connection {source}.result -> {target}.text"
    ]


def test_an_unknown_output_is_refused_with_the_nearest_name(
    two: WorkflowBuilder,
) -> None:
    two.add_connection("sum", "resul.x", "shout", "text")

    with pytest.raises(EdgeError) as caught:
        two.build()
    assert str(caught.value) == (
        "sum.resul.x -> shout.text: the result of add 'sum' has no 'resul': "
        "did you mean 'result'?"
    )


def test_an_unknown_input_is_refused_with_the_nearest_name(
    two: WorkflowBuilder,
) -> None:
    two.add_connection("shout", "result", "sum", "rihgt")

    with pytest.raises(EdgeError, match="add 'sum' has no 'rihgt': did you mean 'rig"):
        two.build()


def test_two_connections_into_one_input_are_refused(two: WorkflowBuilder) -> None:
    two.add_node(shout, "other", {"text": "y"})
    two.add_connection("shout", "result.0", "other", "text")
    two.add_connection("shout", "result", "other", "text")

    with pytest.raises(EdgeError, match=r"shout.result.0 -> other.text leads to the"):
        two.build()


def test_an_output_that_can_never_be_an_input_is_refused(two: WorkflowBuilder) -> None:
    two.add_connection("sum", "result", "shout", "text")

    with pytest.raises(EdgeError, match="the output is int, the input takes str"):
        two.build()


def test_an_output_that_may_be_an_input_is_accepted(two: WorkflowBuilder) -> None:
    two.add_node(maybe, "maybe", {"number": 1})
    two.add_connection("maybe", "result", "sum", "right")
    two.add_connection("sum", "result.part", "shout", "text")

    assert len(two.build().edges) == 2


def test_a_cycle_is_refused_by_its_path() -> None:
    builder = WorkflowBuilder()
    for name in "abc":
        builder.add_node(add, name, {"right": 1})
    for source, target in ("ab", "bc", "ca"):
        builder.add_connection(source, "result", target, "left")

    with pytest.raises(CycleError, match="a -> b -> c -> a is a cycle"):
        builder.build()


@pytest.mark.parametrize(
    ("parameters", "error", "said"),
    [
        ({}, MissingFieldError, "add 'sum' needs 'left' (int): give it as a"),
        ({"left": "1"}, FieldValueError, "add 'sum'.left takes int, not str"),
        ({"left": 1, "rigt": 2}, UnknownFieldError, "did you mean 'right'?"),
        ({"left": 1, "rigt": PARAMETER}, UnknownFieldError, "did you mean 'right'?"),
    ],
)
def test_parameters_that_a_node_cannot_use_are_refused(
    parameters: dict[str, Any], error: type[Exception], said: str
) -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "sum", parameters)

    with pytest.raises(error) as caught:
        builder.build()
    assert said in str(caught.value)


def test_a_promised_parameter_counts_as_given() -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "sum", {"left": PARAMETER})
    step = builder.build().steps["sum"]

    assert step.parameters == {}
    assert step.promised == {"left"}
    assert repr(PARAMETER) == "PARAMETER"


def test_a_promise_inside_a_parameter_is_refused(value: Function) -> None:
    builder = WorkflowBuilder()
    builder.add_node(value, "a", {"value": {"age": {"$gt": PARAMETER}}})

    with pytest.raises(
        FieldValueError, match=r"'a'.value.age.\$gt takes a value: PARA"
    ):
        builder.build()


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("${one.value}", "value"),
        ("id ${ one.value }!", "value"),
        ({"filter": {"id": "${one.value}"}}, "value.filter.id"),
        ([{"id": 1}, {"id": "${one.value}"}], "value.1.id"),
        (("x", {"${one.value}"}), "value.1.0"),
    ],
)
def test_a_template_is_refused_and_the_connection_named(
    value: Function, given: object, place: str
) -> None:
    builder = WorkflowBuilder()
    builder.add_node(value, "one", {"value": 1})
    builder.add_node(value, "two", {"value": given})

    with pytest.raises(FieldValueError) as caught:
        builder.build()
    assert caught.value.field == place
    assert "add_connection('one', 'value', 'two', 'value')" in str(caught.value)


def test_a_template_of_nothing_known_is_refused_too(value: Function) -> None:
    builder = WorkflowBuilder()
    builder.add_node(value, "a", {"value": "${HOME}"})

    with pytest.raises(FieldValueError, match=r"add_connection\(source, output, 'a'"):
        builder.build()


def test_a_dollar_or_a_brace_alone_is_no_template(value: Function) -> None:
    builder = WorkflowBuilder()
    builder.add_node(value, "a", {"value": ["$", "{x}", "$x", "${", "costs $ {5}"]})

    assert list(builder.build().steps) == ["a"]


def test_of_several_problems_the_first_is_raised_and_the_others_are_its_notes() -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "first")
    builder.add_node(add, "second", {"left": None})

    with pytest.raises(MissingFieldError) as caught:
        builder.build()
    assert caught.value.__notes__ == ["and: add 'second'.left takes int, not NoneType"]
