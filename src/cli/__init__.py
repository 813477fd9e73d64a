"""The `dataflow` command: one file or folder per subcommand."""

from __future__ import annotations

from ._main import main

__all__ = ["main"]
