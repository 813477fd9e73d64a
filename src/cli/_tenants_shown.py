"""How far a round through all tenants is, for a reader."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import Progress

__all__ = ["tenants_shown"]


@contextmanager
def tenants_shown(
    console: Console, *, way_on: str = ""
) -> Generator[Callable[[str, int, int], None]]:
    """Show a bar, and give what is told of the tenants that are done.

    Args:
        console: Where.
        way_on: What to say when the user interrupts, with ``{}`` for the last of them.
    """
    last = ""
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("tenants", total=None, visible=False)

        def told(name: str, n_done: int, total: int) -> None:
            nonlocal last
            last = name
            progress.update(
                task, completed=n_done, total=total, description=name, visible=True
            )

        try:
            yield told
        except KeyboardInterrupt:
            if last and way_on:
                typer.echo(way_on.format(last), err=True)
            raise
