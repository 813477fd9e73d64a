"""What a run of the demo came to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

from ...actors import Snapshot
from ._load import Load

__all__ = ["Summary", "summarize"]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the demo came to; ``--json`` prints it as it is.

    Attributes:
        database: URL, the password masked.
        unicode_version: Of the database that this Python carries.
        records: Rows stored.
        batches: Messages that carried them.
        inserted: Rows that were new.
        updated: Rows that were there already.
        seconds: Time to store them.
        records_per_s: How fast that was, in records per second.
        query_seconds: Time to answer all questions.
        run_id: Of the workflow of questions.
        restarts: How often an actor was restarted.
        answers: Results of the workflow, by node.
        actors: The tree of actors when all was done.
    """

    database: str
    unicode_version: str = unicodedata.unidata_version
    records: int
    batches: int
    inserted: int
    updated: int
    seconds: float
    records_per_s: int
    query_seconds: float
    run_id: str
    restarts: int
    answers: dict[str, Any]
    actors: Snapshot


def summarize(
    database: str,
    loaded: Load,
    answered: tuple[dict[str, Any], str],
    query_seconds: float,
    actors: Snapshot,
) -> Summary:
    """Return the summary of a load and the questions after it."""
    answers, run_id = answered
    return Summary(
        database=database,
        records=loaded.records,
        batches=loaded.batches,
        inserted=loaded.inserted,
        updated=loaded.updated,
        seconds=loaded.seconds,
        records_per_s=round(loaded.records_per_s),
        query_seconds=round(query_seconds, 3),
        run_id=run_id,
        restarts=sum(each.restarts for each in _walk(actors)),
        answers=answers,
        actors=actors,
    )


def _walk(actor: Snapshot) -> Iterator[Snapshot]:
    yield actor
    for child in actor.children:
        yield from _walk(child)
