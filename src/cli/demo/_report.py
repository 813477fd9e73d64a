"""The summary for a reader: tables and a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ...actors import Snapshot
from ._questions import QUESTIONS
from ._summary import Summary

__all__ = ["report"]


def report(summary: Summary, console: Console) -> None:
    """Print *summary*."""
    parts: Sequence[RenderableType] = (
        _answers(summary.answers),
        _tree(summary.actors),
        _numbers(summary),
    )
    console.print(Group(*(Padding(part, (1, 0, 0, 0)) for part in parts)))


def _answers(answers: Mapping[str, Any]) -> Table:
    table = Table("Question", "Answer", title="Asked in one workflow")
    for question in QUESTIONS:
        table.add_row(question.text, _answer(answers[question.node_id]))
    table.add_row("Of all, letters are", f"{answers['share']['percent']:.1f} %")
    # Among few characters there is no composed letter, and its base is not asked for.
    composed = answers["composed"]["records"]
    if composed and "base" in answers:
        composition = Text(f"{composed[0]['name']} begins with")
        table.add_row(composition, _character(answers["base"]))
    return table


def _answer(result: Mapping[str, Any]) -> Text:
    if "records" not in result:
        return Text(f"{result['count']:,}")
    return Text("\n").join(map(_character, result["records"])) or Text("none")


def _character(record: Mapping[str, Any]) -> Text:
    return Text(f"U+{record['code_point']:04X} {record['name']}")


def _tree(actors: Snapshot) -> Tree:
    tree = Tree("[bold]Actors")
    _grow(tree, actors)
    return tree


def _grow(tree: Tree, parent: Snapshot) -> None:
    for child in parent.children:
        _grow(tree.add(Text(_describe(child))), child)


def _describe(actor: Snapshot) -> str:
    if actor.kind == "supervisor":
        return f"{actor.name}: supervisor, {actor.strategy}"
    counts = f"processed {actor.processed:,}, restarts {actor.restarts:,}"
    return f"{actor.name}: {actor.state}, {counts}"


def _numbers(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")  # of a long URL the end counts too
    stored = f"{summary.inserted:,} inserted, {summary.updated:,} updated"
    table.add_row("Records", f"{summary.records:,} ({stored})")
    table.add_row("Batches", f"{summary.batches:,}")
    table.add_row("Seconds", f"{summary.seconds:.2f}")
    table.add_row("Per second", f"{summary.records_per_s:,} records", style="bold")
    table.add_row("Answers", f"{1_000 * summary.query_seconds:,.0f} ms")
    table.add_row("Restarts", f"{summary.restarts:,}")
    table.add_row("Unicode", summary.unicode_version)
    table.add_row("Database", Text(summary.database))
    table.add_row("Run", summary.run_id)
    return table
