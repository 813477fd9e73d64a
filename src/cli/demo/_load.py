"""Store the characters, batch by batch, through the actor of the bulk node."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from ..._dataflow import DataFlow
from ...telemetry import get_log
from ._character import Row, characters

__all__ = ["Load", "load"]

BATCH: Final = 5_000
"""Rows per message, and per transaction."""

_log = get_log("dataflow.demo")


class Load(msgspec.Struct, kw_only=True):
    """What was stored.

    Attributes:
        records: How many rows were sent; all were stored.
        batches: How many messages carried them.
        inserted: Rows that were new.
        updated: Rows that were there already.
        seconds: Time from the first batch to the last reply.
    """

    records: int = 0
    batches: int = 0
    inserted: int = 0
    updated: int = 0
    seconds: float = 0.0

    @property
    def records_per_s(self) -> float:
        """How fast it was, in records per second."""
        return self.records / self.seconds if self.seconds else 0.0


async def load(
    db: DataFlow, limit: int | None, on_progress: Callable[[int], object]
) -> Load:
    """Store all characters, or the first *limit*; those that are there are updated.

    If cancelled, the batches that were answered stay stored; each batch is stored
    whole or not at all, so loading once more completes it.

    Args:
        db: Where to.
        limit: How many; None for all.
        on_progress: Called after each batch with the number of its rows.

    Raises:
        DriverError: The database refused.
    """
    done, start = Load(), time.perf_counter()
    for batch in _batches(characters(limit)):
        result = await db["Character"].bulk_upsert(batch, key_fields=["code_point"])
        done.records += result["processed"]
        done.batches += 1
        done.inserted += result["inserted"]
        done.updated += result["updated"]
        _log.debug("batch_stored", batch=done.batches, records=done.records)
        on_progress(len(batch))
    done.seconds = round(time.perf_counter() - start, 6)
    _log.info("characters_loaded", **msgspec.to_builtins(done))
    return done


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    # Python 3.12 has it as `itertools.batched`.
    while batch := list(islice(rows, BATCH)):
        yield batch
