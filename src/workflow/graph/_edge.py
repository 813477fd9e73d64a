"""A connection between two nodes of a workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

__all__ = ["Edge"]


class Edge(msgspec.Struct, frozen=True, eq=False):
    """A connection from an output of one node to an input of another.

    Attributes:
        source: Id of the node that gives.
        output: What it gives, with dots into the result: ``records.0.id``.
        target: Id of the node that takes.
        input: Which of its inputs.
        when: Asked with the value whether the edge carries it; None means always.
        path: The output, taken apart at the dots.
    """

    source: str
    output: str
    target: str
    input: str
    when: Callable[[Any], bool] | None
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.source}.{self.output} -> {self.target}.{self.input}"
