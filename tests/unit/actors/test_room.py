from __future__ import annotations

import subprocess
import sys

from dataflow import actors


def test_the_public_names_are_sorted_and_there() -> None:
    assert actors.__all__ == sorted(actors.__all__)
    assert all(hasattr(actors, name) for name in actors.__all__)


def test_the_room_knows_no_database_and_no_event_loop() -> None:
    code = (
        "import sys, dataflow.actors;"
        "known = {'asyncpg', 'aiosqlite', 'sqlalchemy', 'asyncio', 'trio'};"
        "print(known & set(sys.modules))"
    )
    found = subprocess.run(  # noqa: S603  our own code, our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "set()"
