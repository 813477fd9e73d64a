"""Plans and the ledger, for a reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ...schema.migration import Entry, Plan, Risk, Step

__all__ = ["show_entries", "show_plan", "show_step"]

_COLOURS: Final = {
    Risk.LOW: "green",
    Risk.MEDIUM: "yellow",
    Risk.HIGH: "red",
    Risk.CRITICAL: "bold red",
}
_SIGNS: Final = {
    "add": ("+", "green"),
    "attach": ("+", "green"),
    "create": ("+", "green"),
    "drop": ("-", "red"),
    "purge": ("-", "red"),
    "quarantine": ("-", "red"),
}
_STATES: Final = {
    "applied": "green",
    "applying": "yellow",
    "failed": "red",
    "interrupted": "yellow",
    "rolled back": "dim",
}


def show_plan(plan: Plan, console: Console) -> None:
    """Print the steps, each with its risk, its lock and its SQL."""
    if not plan:
        console.print("[green]Nothing to do:[/] the database is as the models ask.")
    for number, step in enumerate(plan.steps, 1):
        _show(number, step, console)
    for problem in plan.problems:
        console.print(f"[bold red]problem:[/] {escape(problem)}")
    for note in plan.notes:
        console.print(f"[dim]note: {escape(note)}[/]")
    if plan.steps:
        colour = _COLOURS[plan.risk]
        console.print(
            f"{len(plan.steps)} steps, risk [{colour}]{plan.risk.name}[/{colour}]"
        )


def _show(number: int, step: Step, console: Console) -> None:
    sign, colour = _SIGNS.get(step.operation.partition("_")[0], ("~", "yellow"))
    risk = _COLOURS[step.risk]
    console.print(
        f"[{colour}]{sign}[/] {number}. {escape(step.description)} "
        f"[{risk}]{step.risk.name}[/]"
    )
    facts = [f"lock {step.lock}" if step.lock else "no lock", step.reason]
    if step.is_rewrite:
        facts.insert(1, "rewrites the table")
    if step.estimate_s >= 1:
        facts.append(f"about {step.estimate_s:.0f} s")
    console.print(f"     [dim]{escape('; '.join(facts))}[/]")
    if step.alternative and step.risk > Risk.LOW:
        console.print(f"     safer: {escape(step.alternative)}")
    if step.is_lossy or step.undo is None:
        console.print("     [yellow]undoing it loses what was stored since[/]")
    for line in step.sql_up.splitlines():
        console.print(Text(f"     {line}", style="cyan"), soft_wrap=True)


def show_step(console: Console, step: Step, number: int, seconds: float) -> None:
    """Print that a step is done."""
    console.print(
        f"[green]done[/] {number + 1}. {escape(step.description)} "
        f"[dim]{seconds * 1000:.1f} ms[/]"
    )


def show_entries(
    entries: Sequence[Entry], quarantined: Sequence[str], console: Console
) -> None:
    """Print what was done, how long each step took, and what is kept."""
    if not entries:
        console.print("No migration was done to this database yet.")
    for entry in entries:
        if not entry.steps:
            continue
        colour = _STATES[entry.state]
        console.print(
            f"{entry.number}. [{colour}]{entry.state}[/] {entry.started_at} "
            f"by {escape(entry.who)}, {entry.duration_s * 1000:.1f} ms"
        )
        if entry.error:
            console.print(f"   [red]{escape(entry.error)}[/]")
        console.print(_steps(entry))
    for name in quarantined:
        console.print(f"[yellow]kept:[/] {escape(name)}")


def _steps(entry: Entry) -> Table:
    table = Table("", "step", "risk", "ms", box=None, pad_edge=False)
    for number, step in enumerate(entry.steps):
        seconds = entry.durations.get(number)
        table.add_row(
            f"  {number + 1}",
            escape(step.description),
            step.risk,
            "" if seconds is None else f"{seconds * 1000:.1f}",
        )
    return table
