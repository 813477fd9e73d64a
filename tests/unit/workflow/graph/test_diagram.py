from __future__ import annotations

from collections.abc import Callable

from dataflow.workflow import WorkflowBuilder


def test_a_workflow_draws_its_nodes_and_connections(
    builder: WorkflowBuilder, value: Callable[..., object]
) -> None:
    builder.add_node(value, "end", {"value": 1})
    builder.add_node(value, 'say "<#1>"')
    builder.add_connection("end", "value.0", 'say "<#1>"', "value", when=bool)

    assert builder.build().to_mermaid() == (
        "flowchart TD\n"
        '    n0["end<br/>_value"]\n'
        '    n1["say #quot;#lt;#35;1#gt;#quot;<br/>_value"]\n'
        '    n0 -.->|"value.0 → value"| n1\n'
    )


def test_a_connection_without_condition_is_a_solid_line(
    builder: WorkflowBuilder, value: Callable[..., object]
) -> None:
    builder.add_node(value, "a", {"value": 1})
    builder.add_node(value, "b")
    builder.add_connection("a", "value", "b", "value")

    assert 'n0 -->|"value → value"| n1' in builder.build().to_mermaid()
