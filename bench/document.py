"""The page about the benchmarks: what is between its markers is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from claims import PREFIX
from figure import Figure
from report import as_markdown, described

__all__ = ["PAGE", "figures_section", "fill"]

PAGE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def fill(section: str, text: str) -> None:
    """Replace a section of the page.

    Args:
        section: Its name in the markers, such as ``<!-- figures: begin -->``.
        text: What stands between them from now on.

    Raises:
        ValueError: The page has no such markers.
    """
    begin, end = (f"<!-- {section}: {edge} -->" for edge in ("begin", "end"))
    page = PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        msg = f"{PAGE} has no {begin} and {end}"
        raise ValueError(msg)
    PAGE.write_text(
        f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8"
    )


def figures_section(machine: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Return the machine, the table of the contests and that of the claims."""
    claims = [each for each in figures if each.operation.startswith(PREFIX)]
    contests = [each for each in figures if each not in claims]
    parts = [f"{described(machine)}.", as_markdown(contests).strip()]
    if claims:
        parts += ["Against what is claimed:", as_markdown(claims).strip()]
    return "\n\n".join(parts)
