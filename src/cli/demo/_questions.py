"""The questions of the demo: one workflow, each node of it an answer.

All nodes without connections run side by side. Two answers are made of others:
``share`` of two counts, and ``base``, a chain of a list, a function and a read.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..._dataflow import DataFlow
from ...workflow import Workflow

__all__ = ["QUESTIONS", "Question", "questions"]

LETTERS: Final = ["Lu", "Ll", "Lt", "Lm", "Lo"]
"""Source: Unicode Standard, chapter 4.5, general category L."""


class Question(msgspec.Struct, frozen=True):
    """A node of the workflow.

    Attributes:
        node_id: Its name in the workflow and in the results.
        text: What it answers, for a reader.
        node: Name of the node type.
        parameters: What it is given.
    """

    node_id: str
    text: str
    node: str
    parameters: dict[str, Any]


def _count(node_id: str, text: str, where: dict[str, Any]) -> Question:
    return Question(node_id, text, "CharacterCountNode", {"filter": where})


def _list(
    node_id: str, text: str, where: dict[str, Any], order: str, limit: int = 3
) -> Question:
    return Question(
        node_id,
        text,
        "CharacterListNode",
        {
            "filter": where,
            "order_by": [order],
            "limit": limit,
            "fields": ["code_point", "name", "category"],
        },
    )


QUESTIONS: Final = (
    _count("characters", "Characters", {}),
    _count("letters", "Letters", {"category": {"$in": LETTERS}}),
    _count("mirrored", "Mirrored in right-to-left text", {"mirrored": True}),
    _count("digits", "Decimal digits", {"decimal": {"$between": [0, 9]}}),
    _count(
        "wide_symbols",
        "Wide, but neither letter nor mark",
        {
            "$and": [
                {"east_asian_width": {"$in": ["W", "F"]}},
                {"category": {"$nin": [*LETTERS, "Mn", "Mc", "Me"]}},
            ]
        },
    ),
    _list("highest", "The highest code points", {}, "-code_point"),
    _list("nines", "The last nines", {"decimal": 9}, "-code_point"),
    _list(
        "snow", "With SNOW in the name", {"name": {"$contains": "SNOW"}}, "code_point"
    ),
    _list(
        "arrows",
        "Arrows with two heads",
        {"name": {"$regex": "^(LEFT|RIGHT)WARDS TWO.HEADED ARROW$"}},
        "code_point",
    ),
    _list(
        "brackets",
        "Opening brackets, mirrored",
        {"mirrored": True, "category": "Ps", "name": {"$startsWith": "LEFT"}},
        "code_point",
    ),
)


def questions(db: DataFlow) -> Workflow:
    """Return the workflow that asks them all."""
    builder = db.workflow("questions")
    for question in QUESTIONS:
        builder.add_node(question.node, question.node_id, question.parameters)

    builder.add_node(share_of, "share")
    builder.add_connection("letters", "count", "share", "part")
    builder.add_connection("characters", "count", "share", "whole")

    builder.add_node("CharacterListNode", "composed", COMPOSED)
    builder.add_node(base_of, "base_of")
    builder.add_node("CharacterReadNode", "base")
    builder.add_connection("composed", "records", "base_of", "records")
    builder.add_connection(
        "base_of",
        "code_point",
        "base",
        "record_id",
        when=lambda found: found is not None,
    )
    return builder.build()


COMPOSED: Final[dict[str, Any]] = {
    "filter": {
        "name": {"$startsWith": "LATIN CAPITAL LETTER"},
        "decomposition": {"$regex": "^[0-9A-F]+ [0-9A-F]+$"},
    },
    "order_by": ["-code_point"],
    "limit": 1,
}
"""The last Latin capital that is made of a letter and a mark."""


async def share_of(part: int, whole: int) -> dict[str, float]:
    """Return how many percent of *whole* are *part*."""
    return {"percent": 100 * part / whole if whole else 0.0}


async def base_of(records: list[dict[str, Any]]) -> dict[str, int | None]:
    """Return the code point of the letter in the first record; None if there is none."""
    for record in records:
        return {"code_point": int(record["decomposition"].split()[0], 16)}
    return {"code_point": None}
