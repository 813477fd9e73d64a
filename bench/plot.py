"""A plot: curves over a logarithmic axis, several panels, as SVG of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import msgspec

__all__ = ["Curve", "Panel", "draw"]

_WIDTH: Final = 520
_HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 56, 46
_COLUMNS: Final = 2
_COLOURS: Final = ("#0b6e99", "#c4622d", "#6b7280")
_STYLE: Final = """
text { font: 12px Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #374151 }
.title { font-weight: 600; font-size: 14px; fill: #111827 }
.grid { stroke: #e5e7eb } .curve { fill: none; stroke-width: 2.5 }
"""


class Curve(msgspec.Struct, frozen=True):
    """Points with a name; both coordinates are above 0."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(msgspec.Struct, frozen=True):
    """Curves that share axes."""

    title: str
    curves: Sequence[Curve]


def draw(panels: Sequence[Panel], *, below: str) -> str:
    """Return the SVG of the panels, side by side in rows of two.

    Args:
        panels: What to draw, each with at least one point.
        below: What the horizontal axes count.
    """
    rows = math.ceil(len(panels) / _COLUMNS)
    size = f"{_WIDTH * _COLUMNS} {_HEIGHT * rows}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, _COLUMNS)
        lines.append(f'<g transform="translate({column * _WIDTH} {row * _HEIGHT})">')
        lines += _panel(panel, below)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel, below: str) -> Iterator[str]:
    points = [point for curve in panel.curves for point in curve.points]
    places = sorted({x for x, _ in points})
    step = _step(max(y for _, y in points))
    top = step * math.ceil(max(y for _, y in points) / step)

    def across(x: float) -> float:
        span = math.log(places[-1] / places[0]) or 1.0
        share = math.log(x / places[0]) / span
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)

    yield _text(_LEFT, 20, panel.title, kind="title")
    for number in range(round(top / step) + 1):
        y = up(number * step)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 8, y + 4, _short(number * step), anchor="end")
    for x in places:
        yield _text(across(x), _HEIGHT - _BOTTOM + 18, f"{x:g}", anchor="middle")
    yield _text(_WIDTH - _RIGHT, _HEIGHT - 8, below, anchor="end")
    at: float = _LEFT - 50
    for colour, curve in zip(_COLOURS, panel.curves, strict=False):
        drawn = [f"{across(x):.1f},{up(y):.1f}" for x, y in curve.points]
        yield f'<polyline class="curve" stroke="{colour}" points="{" ".join(drawn)}"/>'
        for x, y in curve.points:
            place = f'cx="{across(x):.1f}" cy="{up(y):.1f}"'
            yield f'<circle {place} r="3" fill="{colour}"/>'
        yield f'<rect x="{at}" y="{_TOP - 23}" width="12" height="4" fill="{colour}"/>'
        yield _text(at + 18, _TOP - 16, curve.name)
        at += 40 + 6 * len(curve.name)


def _step(greatest: float) -> float:
    """Return a round number that fits into *greatest* two to five times."""
    power: float = 10 ** math.floor(math.log10(greatest))
    return next(
        size * power
        for size in (2.0, 1.0, 0.5, 0.2)
        if greatest / (size * power) >= 2  # noqa: PLR2004
    )


def _short(number: float) -> str:
    return f"{number / 1000:g} k" if number >= 1000 else f"{number:g}"  # noqa: PLR2004


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", kind: str = ""
) -> str:
    named = f' class="{kind}"' if kind else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{named}>{escape(text)}</text>"
