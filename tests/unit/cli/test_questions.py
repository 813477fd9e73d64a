"""The functions among the questions of the demo."""

from __future__ import annotations

from dataflow.cli.demo._character import open_dataflow
from dataflow.cli.demo._questions import QUESTIONS, base_of, questions, share_of


async def test_a_share_of_nothing_is_nothing() -> None:
    assert await share_of(1, 4) == {"percent": 25}
    assert await share_of(0, 0) == {"percent": 0}


async def test_the_base_is_the_first_code_point_of_the_decomposition() -> None:
    assert await base_of([{"decomposition": "0059 0303"}]) == {"code_point": 0x59}
    assert await base_of([]) == {"code_point": None}


async def test_every_question_is_a_node() -> None:
    db = open_dataflow("sqlite:///:memory:")
    workflow = questions(db)
    await db.aclose()

    assert {each.node_id for each in QUESTIONS} <= set(workflow.steps)
