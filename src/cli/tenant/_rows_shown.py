"""How far an export or an import is, for a reader."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["rows_shown"]


@contextmanager
def rows_shown(console: Console) -> Generator[Callable[[str, int], None]]:
    """Show a line for each model, and give what is told of the rows that are done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def told(model: str, n_done: int) -> None:
            if model not in tasks:
                tasks[model] = progress.add_task(model, total=None)
            progress.update(tasks[model], completed=n_done)

        yield told
