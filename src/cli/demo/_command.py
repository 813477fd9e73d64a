"""The command line of the demo."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from .._failure import failing_in_one_line
from .._logging import logging_to_stderr
from ._character import code_points
from ._report import report
from ._run import run_demo

__all__ = ["demo"]

_INTERRUPTED = (
    "interrupted: whole batches are stored, and what was under way is rolled back; "
    "run it again to complete it"
)


def demo(
    *,
    url: Annotated[
        str, typer.Option(help="Database, as postgresql://… or sqlite:///….")
    ] = "sqlite:///unicode.db",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Load only the first characters.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and log JSON lines to stderr.")
    ] = False,
    is_quiet: Annotated[
        bool, typer.Option("--quiet", help="Show neither progress nor log.")
    ] = False,
) -> None:
    """Load the Unicode Character Database into a database, and question it."""
    has_bar = sys.stderr.isatty() and not (as_json or is_quiet)
    with (
        failing_in_one_line(_INTERRUPTED),
        logging_to_stderr(as_json=as_json, is_quiet=is_quiet),
    ):
        with _progress(limit, is_shown=has_bar) as on_progress:
            summary = anyio.run(run_demo, url, limit, on_progress)
        if as_json:
            typer.echo(msgspec.json.encode(summary))
        else:
            report(summary, Console())


@contextmanager
def _progress(
    limit: int | None, *, is_shown: bool
) -> Generator[Callable[[int], object]]:
    """Give what to call after each batch; it moves a bar if that is shown."""
    if not is_shown:
        yield lambda _: None
        return
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    total = sum(1 for _ in code_points(limit))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield partial(progress.advance, progress.add_task("Characters", total=total))
