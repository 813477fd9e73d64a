"""The way in: it works without the packages of the extra `cli`, to name it."""

from __future__ import annotations

import sys
from typing import Final

from ..errors import MissingExtraError

__all__ = ["main"]

_EXTRA: Final = frozenset({"rich", "typer"})
"""Packages of the extra `cli`."""


def main() -> None:
    """Run the command line of this process, and end the process.

    Its exit code is 0 when done, 2 when the input cannot be used, 1 when the work
    failed, and 130 when it was interrupted.
    """
    try:
        from ._app import app  # noqa: PLC0415  # the extra may be absent
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        missing = MissingExtraError("the dataflow command", "cli")
        sys.stderr.write(f"dataflow: {missing}\n")
        sys.exit(2)
    app(prog_name="dataflow")
