"""A workflow as a Mermaid flowchart.

Source: Mermaid, *Flowcharts - Basic Syntax*: ids, quoted labels, entity codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ._edge import Edge

__all__ = ["draw"]

_CODES: Final = str.maketrans(
    {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "\n": " "}
)


def draw(types: Mapping[str, str], edges: Iterable[Edge]) -> str:
    """Return a flowchart: solid edges carry always, dotted ones on a condition.

    Args:
        types: Name of the node type, by id.
        edges: Connections between these ids.
    """
    # Ids of users may be words of Mermaid (`end`), so the chart has its own.
    marks = {name: f"n{index}" for index, name in enumerate(types)}
    lines = ["flowchart TD"]
    for name, kind in types.items():
        lines.append(f'    {marks[name]}["{_escape(name)}<br/>{_escape(kind)}"]')
    for edge in edges:
        arrow = "-->" if edge.when is None else "-.->"
        label = f"{_escape(edge.output)} → {_escape(edge.input)}"
        lines.append(
            f'    {marks[edge.source]} {arrow}|"{label}"| {marks[edge.target]}'
        )
    return "\n".join([*lines, ""])


def _escape(text: str) -> str:
    """Return *text* so that a quoted label shows it as it is."""
    return text.translate(_CODES)
