"""How a command ends when it does not succeed: one line, and an exit code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import typer

from ..errors import DataFlowError, DriverError, UrlError

__all__ = ["UNUSABLE", "failing_in_one_line"]

FAILED: Final = 1
UNUSABLE: Final = 2
"""Source: the exit code of typer for a command line that it cannot use."""
INTERRUPTED: Final = 130
"""Source: POSIX shells, 128 + the number of SIGINT."""


@contextmanager
def failing_in_one_line(interrupted: str) -> Generator[None]:
    """Turn what goes wrong on purpose into a line on stderr and an exit code.

    Anything that is no `DataFlowError` is a mistake of ours and passes through.

    Args:
        interrupted: What to say when the user interrupts.

    Raises:
        typer.Exit: With the code, in place of what went wrong.
    """
    try:
        yield
    except KeyboardInterrupt:
        _say(interrupted)
        raise typer.Exit(INTERRUPTED) from None
    except (UrlError, DriverError) as error:
        _say(str(error))
        raise typer.Exit(UNUSABLE) from None
    except DataFlowError as error:
        _say(str(error))
        raise typer.Exit(FAILED) from None


def _say(text: str) -> None:
    line = " ".join(text.split())
    typer.echo(f"dataflow: {line}", err=True)
