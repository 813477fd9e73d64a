from __future__ import annotations

import subprocess
import sys

import dataflow.models


def test_every_public_name_is_there() -> None:
    names = dataflow.models.__all__

    assert all(hasattr(dataflow.models, name) for name in names)


def test_importing_loads_no_database_and_no_sqlalchemy() -> None:
    code = (
        "import sys, dataflow.models, dataflow.schema\n"
        "bad = {'sqlalchemy', 'asyncpg', 'aiosqlite', 'sqlite3'} & set(sys.modules)\n"
        "assert not bad, bad"
    )

    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
