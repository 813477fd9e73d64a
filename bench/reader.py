"""A program that reads single rows until its input ends, and tells how long each took.

It is a process of its own, so that it does not wait for whoever measures. It prints a
JSON list of pairs: when a read began, on the clock of `time.monotonic`, and its seconds.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from time import monotonic
from typing import Any, Final

EVERY_S: Final = 0.002
"""Seconds between two reads."""


def main(url: str, table: str, n_rows: str) -> None:
    """Read until the input ends."""
    ended = threading.Event()
    threading.Thread(target=_wait, args=(ended,), daemon=True).start()
    read = _sqlite if url.startswith("sqlite") else _postgresql
    print(json.dumps(read(url, table, int(n_rows), ended)))


def _wait(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _sqlite(
    url: str, table: str, n_rows: int, ended: threading.Event
) -> list[tuple[float, float]]:
    query = f"SELECT * FROM {table} WHERE id = ?"  # noqa: S608
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as client:

        def read(key: int) -> object:
            return client.execute(query, (key,)).fetchall()

        _tell()
        return _timed(read, n_rows, ended)


def _timed(
    read: Callable[[int], object], n_rows: int, ended: threading.Event
) -> list[tuple[float, float]]:
    told: list[tuple[float, float]] = []
    while not ended.wait(EVERY_S):
        start = monotonic()
        read(len(told) * 7919 % n_rows + 1)
        told.append((start, monotonic() - start))
    return told


def _postgresql(
    url: str, table: str, n_rows: int, ended: threading.Event
) -> list[tuple[float, float]]:
    return asyncio.run(_with_asyncpg(url, table, n_rows, ended))


async def _with_asyncpg(
    url: str, table: str, n_rows: int, ended: threading.Event
) -> list[tuple[float, float]]:
    asyncpg: Any = import_module("asyncpg")  # it has no types
    client = await asyncpg.connect(url, statement_cache_size=0)
    query = f"SELECT * FROM {table} WHERE id = $1"  # noqa: S608
    told: list[tuple[float, float]] = []
    _tell()
    while not ended.is_set():
        start = monotonic()
        await client.fetch(query, len(told) * 7919 % n_rows + 1)
        told.append((start, monotonic() - start))
        await asyncio.sleep(EVERY_S)
    await client.close()
    return told


def _tell() -> None:
    """Say that it begins."""
    print("ready", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
