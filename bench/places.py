"""The places where a contest is held: both databases, from one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import postgresql
import sqlite
from figure import Figure
from job import Job
from raw import Opened
from server import Server

__all__ = ["PLACES", "held_everywhere"]

PLACES: Final = (postgresql.RawPostgresql.place, sqlite.RawSqlite.place)

_Measure = Callable[[Opened], Coroutine[Any, Any, list[Figure]]]


def held_everywhere(
    server: Server, name: str, operation: str, *measures: _Measure
) -> list[Job]:
    """Return a job for each database.

    Args:
        server: Where PostgreSQL is.
        name: What ``--only`` calls it.
        operation: What a failure is reported under.
        measures: Holds the contest; one for both databases, or one for each.
    """
    opened = (lambda: postgresql.opened(server.url), sqlite.opened)
    if len(measures) == 1:
        measures *= len(PLACES)
    return [
        Job(name, operation, place, partial(_hold, measure, opens))
        for place, opens, measure in zip(PLACES, opened, measures, strict=True)
    ]


def _hold(measure: _Measure, opened: Callable[[], Opened]) -> list[Figure]:
    return asyncio.run(measure(opened()))
