"""The report: one table for people, one file for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec
from figure import Figure, Limit, Spread, Unit, Versus

__all__ = ["as_json", "show"]

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


def show(machine: Mapping[str, str], figures: Sequence[Figure]) -> None:
    """Print the machine and the table."""
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print("Medians over all rounds, with the least and the most in brackets.")
    rows = [_row(figure) for figure in figures]
    if find_spec("rich") is None:
        _show_plainly(rows)
    else:
        _show_richly(rows)


def as_json(machine: Mapping[str, str], figures: Sequence[Figure]) -> bytes:
    """Return machine and figures as JSON."""
    lines = [msgspec.to_builtins(each) | {"is_over": each.is_over} for each in figures]
    whole = {"machine": dict(machine), "figures": lines}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def _show_plainly(rows: Sequence[Sequence[str]]) -> None:
    table = [_HEADS, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [
            cell.ljust(width) if place < _LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _show_richly(rows: Sequence[Sequence[str]]) -> None:
    console: Any = import_module("rich.console").Console()
    table: Any = import_module("rich.table").Table(box=None, pad_edge=False)
    if not console.is_terminal:
        # In a file nothing needs to fit.
        console.width = 240
    for place, head in enumerate(_HEADS):
        table.add_column(head, justify="left" if place < _LEFT else "right")
    for row in rows:
        table.add_row(*row, style="red" if row[-1].startswith("over") else None)
    console.print(table, markup=False, highlight=False)


def _row(figure: Figure) -> tuple[str, ...]:
    unit = figure.unit
    verdict = "" if figure.limit is None else ("over" if figure.is_over else "ok")
    return (
        figure.operation,
        figure.place,
        figure.against,
        _spread(figure.raw, unit),
        _spread(figure.ours, unit),
        _ratios(figure.ratio),
        _spread(figure.difference, unit),
        _limit(figure.limit, unit),
        f"{verdict} {figure.note}".strip(),
    )


def _spread(spread: Spread | None, unit: Unit) -> str:
    if spread is None:
        return "-"
    if spread.n == 1:
        return _number(spread.median, unit)
    scale = _scale(spread.median, unit)
    least, most = (_plain(each, scale) for each in (spread.least, spread.most))
    return f"{_number(spread.median, unit)} ({least}-{most})"


def _ratios(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median:.2f}x ({spread.least:.2f}-{spread.most:.2f})"


def _limit(limit: Limit | None, unit: Unit) -> str:
    if limit is None:
        return "-"
    if limit.versus is Versus.RATIO:
        return f"{limit.at_most:.2f}x"
    sign = "raw + " if limit.versus is Versus.DIFFERENCE else ""
    return sign + _number(limit.at_most, unit)


def _number(value: float, unit: Unit) -> str:
    scale = _scale(value, unit)
    return f"{_plain(value, scale)} {scale[1]}".rstrip()


def _plain(value: float, scale: tuple[float, str]) -> str:
    number = value * scale[0]
    return f"{number:.0f}" if abs(number) >= 100 or not number else f"{number:.1f}"  # noqa: PLR2004


def _scale(value: float, unit: Unit) -> tuple[float, str]:
    """Return the factor and the name of the unit that *value* is best told in."""
    if unit is Unit.BYTES:
        return 1e-6, "MB"
    if unit is Unit.MODULES:
        return 1.0, ""
    return (1e3, "ms") if abs(value) >= 1e-3 else (1e6, "us")  # noqa: PLR2004
