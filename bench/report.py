"""The report: one table for people, one file for programs, one page for the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec
from figure import Figure, Limit, Spread, Unit

__all__ = [
    "as_json",
    "as_markdown",
    "described",
    "markdown_table",
    "number",
    "show",
    "show_table",
]

_HEADS: Final = (
    "operation",
    "where",
    "against",
    "raw",
    "ours",
    "ratio",
    "difference",
    "limit",
    "",
)
_LEFT: Final = 3
"""Columns of words; the others are numbers."""

_WIDE: Final = 240
"""Characters of a line that goes to a file, where nothing needs to fit."""

_IN_PAGE: Final = (0, 1, 2, 3, 4, 5, 7, 8)
"""Columns that the page has: the differences would make it too wide."""


def show(machine: Mapping[str, str], figures: Sequence[Figure]) -> None:
    """Print the machine and the table."""
    print(described(machine))
    print("Medians over all rounds, with the least and the most in brackets.")
    show_table(_HEADS, [_row(figure) for figure in figures], left=_LEFT)


def show_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int
) -> None:
    """Print a table whose first *left* columns are words, richly if that is there."""
    if find_spec("rich") is None:
        _show_plainly(heads, rows, left)
    else:
        _show_richly(heads, rows, left)


def as_json(machine: Mapping[str, str], figures: Sequence[Figure]) -> bytes:
    """Return machine and figures as JSON."""
    lines = [each.as_builtins() for each in figures]
    whole = {"machine": dict(machine), "figures": lines}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def as_markdown(figures: Sequence[Figure]) -> str:
    """Return the table as it stands in a page."""
    heads = [_HEADS[place] or "kept" for place in _IN_PAGE]
    rows = [[_row(figure)[place] for place in _IN_PAGE] for figure in figures]
    return markdown_table(heads, rows, left=_LEFT)


def markdown_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int
) -> str:
    """Return a table for a page, its first *left* columns being words."""
    rule = ["---" if place < left else "---:" for place in range(len(heads))]
    lines = [heads, rule, *([cell.replace("|", "/") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def described(machine: Mapping[str, str]) -> str:
    """Return the facts of a machine in one line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _show_plainly(
    heads: Sequence[str], rows: Sequence[Sequence[str]], left: int
) -> None:
    table = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _show_richly(
    heads: Sequence[str], rows: Sequence[Sequence[str]], left: int
) -> None:
    console: Any = import_module("rich.console").Console()
    table: Any = import_module("rich.table").Table(box=None, pad_edge=False)
    if not console.is_terminal:
        console.width = _WIDE
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < left else "right")
    for row in rows:
        is_bad = row[-1].startswith(("missed", "failed"))
        table.add_row(*row, style="red" if is_bad else None)
    console.print(table, markup=False, highlight=False)


def _row(figure: Figure) -> tuple[str, ...]:
    unit = figure.unit
    return (
        figure.operation,
        figure.place,
        figure.against,
        _rounds(figure.raw, unit),
        _rounds(figure.ours, unit),
        _ratios(figure.ratio),
        _spread(figure.difference, unit),
        _limit(figure.limit, unit),
        " ".join(filter(None, (figure.verdict, figure.note, figure.error))),
    )


def _rounds(rounds: Sequence[float] | None, unit: Unit) -> str:
    return _spread(Spread.of(rounds) if rounds else None, unit)


def _spread(spread: Spread | None, unit: Unit) -> str:
    if spread is None:
        return "-"
    if spread.least == spread.most:
        return number(spread.median, unit)
    scale = _scale(spread.median, unit)
    least, most = (_plain(each, scale) for each in (spread.least, spread.most))
    return f"{number(spread.median, unit)} ({least}-{most})"


def _ratios(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median:.2f}x ({spread.least:.2f}-{spread.most:.2f})"


def _limit(limit: Limit | None, unit: Unit) -> str:
    if limit is None:
        return "-"
    parts: list[str] = []
    if limit.factor:
        parts.append("raw" if limit.factor == 1 else f"{limit.factor:g}x")
    if limit.plus or not limit.factor:
        parts.append(number(limit.plus, unit))
    return f"{'>=' if limit.is_least else '<='} {' + '.join(parts)}"


def number(value: float, unit: Unit) -> str:
    """Return *value* with the unit it is best told in."""
    scale = _scale(value, unit)
    return f"{_plain(value, scale)} {scale[1]}".rstrip()


def _plain(value: float, scale: tuple[float, str]) -> str:
    scaled = value * scale[0]
    is_whole = abs(scaled) >= 100 or scaled == round(scaled)  # noqa: PLR2004
    return f"{scaled:.0f}" if is_whole else f"{scaled:.1f}"


def _scale(value: float, unit: Unit) -> tuple[float, str]:
    """Return the factor and the name of the unit that *value* is best told in."""
    match unit:
        case Unit.BYTES:
            return 1e-6, "MB"
        case Unit.MODULES:
            return 1.0, ""
        case Unit.RATE:
            return (1e-3, "k/s") if abs(value) >= 1e3 else (1.0, "/s")  # noqa: PLR2004
        case Unit.SECONDS:
            return (1e3, "ms") if abs(value) >= 1e-3 else (1e6, "us")  # noqa: PLR2004
