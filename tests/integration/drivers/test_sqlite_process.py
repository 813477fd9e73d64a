"""SQLite and the process it lives in: the library, and threads at its end."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import DriverError


def test_an_old_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(DriverError, match=r"SQLite 3\.34\.1 is too old: 3\.35"):
        connect(parse_url(":memory:"), Bridge())


def test_a_connection_that_nobody_closed_does_not_keep_the_process(
    sqlite_url: str,
) -> None:
    code = """
import asyncio, sys
from dataflow.drivers import connect, open_bridge, parse_url
from dataflow.sql import Statement

async def main():
    async with open_bridge() as bridge:
        driver = connect(parse_url(sys.argv[1]), bridge)
        async with driver.acquire() as connection:
            await connection.run([Statement("CREATE TABLE t (a)")])
        kept.append(driver)

kept = []
asyncio.run(main())
print("end")
"""
    command = [sys.executable, "-c", code, sqlite_url]
    done = subprocess.run(  # noqa: S603  # our own code
        command, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stdout, done.stderr) == ("end\n", "")
