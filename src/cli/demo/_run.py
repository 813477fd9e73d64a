"""The demo itself, without the command line around it."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...drivers import parse_url
from ._character import open_dataflow
from ._load import load
from ._questions import questions
from ._summary import Summary, summarize

__all__ = ["run_demo"]


async def run_demo(
    url: str, limit: int | None, on_progress: Callable[[int], object]
) -> Summary:
    """Store the characters, ask the questions, and return what came of it.

    If cancelled, whole batches are stored or not; running it again completes it.

    Args:
        url: Of the database.
        limit: How many characters; None for all.
        on_progress: Called after each batch with the number of its rows.

    Raises:
        UrlError: The URL cannot be understood.
        DriverError: The database could not be reached, or refused.
        WorkflowError: A question failed.
    """
    database = parse_url(url)
    db = open_dataflow(url)
    try:
        async with db:
            await db.initialize()
            loaded = await load(db, limit, on_progress)
            start = time.perf_counter()
            answered = await db.run(questions(db))
            seconds = time.perf_counter() - start
            actors = db.tree()
    finally:
        await db.aclose()
    assert actors is not None, "it was entered"  # noqa: S101  # for type checkers
    return summarize(database.safe, loaded, answered, seconds, actors)
