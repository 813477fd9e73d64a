"""What the commands about persons show."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ...privacy import Erasure, RetentionStep

__all__ = ["show_erasure", "show_retention"]


def show_erasure(erasure: Erasure, console: Console) -> None:
    """Show what is done with a person's rows; no value of them."""
    table = Table("model", "rows", "action", "fields", "why", box=None)
    for step in erasure.steps:
        fields, reason = ", ".join(step.fields), step.reason or ""
        table.add_row(step.model, f"{step.rows:,}", step.action, fields, reason)
    console.print(table)
    if erasure.recorded:
        listed = ", ".join(erasure.recorded)
        console.print(
            f"The audit of {listed} keeps what it recorded of these rows; what is "
            "personal of it can be read by nobody once this is done."
        )
    end = "done" if erasure.is_done else "nothing was done; --yes does it"
    console.print(f"{erasure.n_rows:,} rows of a {erasure.subject}: {end}")


def show_retention(steps: Sequence[RetentionStep], console: Console) -> None:
    """Show what is done with old rows."""
    if not steps:
        console.print("No model has a retention.")
        return
    table = Table("model", "before", "rows", "action", "on hold", box=None)
    for step in steps:
        before, held = f"{step.before:%Y-%m-%d %H:%M}", f"{step.held:,}"
        table.add_row(step.model, before, f"{step.rows:,}", step.action, held)
    console.print(table)
    if not all(step.is_done for step in steps):
        console.print("Nothing was done; --yes does it.")
