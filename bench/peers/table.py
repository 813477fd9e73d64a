"""The table of the race: operations down, participants across."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median

from figure import Unit
from report import described, markdown_table, number, show_table

from .race import DATABASES, FIELD, Outcome

__all__ = ["as_json", "as_markdown", "show"]

_HEADS = (
    "operation",
    "where",
    "raw",
    "ours",
    "ratio",
    *(library.name for library in FIELD[2:]),
)
_LEFT = 2
_LEGEND = "In brackets: times what the raw client takes; less is better."


def show(machine: Mapping[str, str], outcomes: Sequence[Outcome]) -> None:
    """Print the machine and the table."""
    print(described(machine))
    print(_LEGEND)
    show_table(_HEADS, _rows(outcomes), left=_LEFT)


def as_markdown(machine: Mapping[str, str], outcomes: Sequence[Outcome]) -> str:
    """Return machine and table as they stand in a page."""
    return f"{described(machine)}.\n\n{_LEGEND}\n\n{markdown_table(_HEADS, _rows(outcomes), left=_LEFT)}"


def as_json(machine: Mapping[str, str], outcomes: Sequence[Outcome]) -> bytes:
    """Return machine and outcomes as JSON, with the reasons for every dash."""
    whole = {"machine": dict(machine), "outcomes": [asdict(each) for each in outcomes]}
    return (json.dumps(whole, indent=2) + "\n").encode()


def _rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    found: dict[tuple[str, str], dict[str, Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.operation, outcome.database), {})[outcome.who] = (
            outcome
        )
    return [
        _row(operation, database, by_name)
        for (operation, database), by_name in sorted(
            found.items(), key=lambda item: list(DATABASES).index(item[0][1])
        )
    ]


def _row(operation: str, database: str, by_name: Mapping[str, Outcome]) -> list[str]:
    raw, ours = by_name["raw"], by_name["ours"]
    return [
        operation,
        DATABASES[database],
        _value(raw),
        _value(ours),
        _ratio(ours, raw),
        *(_cell(by_name[library.name], raw) for library in FIELD[2:]),
    ]


def _cell(outcome: Outcome, raw: Outcome) -> str:
    if not outcome.seconds:
        return _value(outcome)
    return f"{_value(outcome)} ({_ratio(outcome, raw)})"


def _value(outcome: Outcome) -> str:
    if not outcome.seconds:
        is_missing = outcome.cannot.startswith("not installed")
        return "not installed" if is_missing else "-"
    seconds = median(outcome.seconds)
    if "callers" in outcome.operation or "bulk" in outcome.operation:
        return number(1 / seconds, Unit.RATE)
    return number(seconds, Unit.SECONDS)


def _ratio(outcome: Outcome, raw: Outcome) -> str:
    if not outcome.seconds or not raw.seconds:
        return "-"
    pairs = zip(outcome.seconds, raw.seconds, strict=False)
    return f"{median(one / other for one, other in pairs):.2f}x"
