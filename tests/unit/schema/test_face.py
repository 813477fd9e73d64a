"""The face of the room: all of it is there, and imported when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dataflow.schema


def test_every_name_is_there() -> None:
    names = dataflow.schema.__all__

    assert names == sorted(names)
    assert all(getattr(dataflow.schema, name) is not None for name in names)


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'adopted'"):
        _ = dataflow.schema.adopted  # type: ignore[attr-defined]


def test_what_not_every_program_needs_is_not_imported_at_start() -> None:
    program = (
        "import sys, dataflow; "
        "print(*(name for name in sys.modules if name.startswith('dataflow.schema.')))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # our own

    assert done.stdout.split() == ["dataflow.schema._table"]
