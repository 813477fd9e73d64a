"""What a bulk node replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ....messages import Operation
from ..._node import Port
from ._rows import Failure

__all__ = ["DEFAULT_BATCH", "failures_of", "report", "report_ports"]

DEFAULT_BATCH: Final = 1_000
"""Rows a statement carries when nothing is said."""

_COUNTS: Final = ("processed", "inserted", "updated", "skipped", "failed", "batch_size")


def report_ports(*more: Port) -> list[Port]:
    """Return what is in every report, and *more*."""
    counts = [Port(name, int) for name in _COUNTS]
    return [*counts, Port("operation", str), Port("success", bool), *more]


def report(
    operation: Operation,
    *,
    processed: int,
    batch_size: int = DEFAULT_BATCH,
    failures: Sequence[Failure] = (),
    **counts: int,
) -> dict[str, Any]:
    """Return the result of a bulk node; the counts not given are 0."""
    result: dict[str, Any] = {
        "processed": processed,
        "inserted": 0,
        "updated": 0,
        "skipped": 0,
        "failed": len(failures),
        "batch_size": batch_size,
        "operation": operation.value,
        "success": not failures,
    }
    result.update(counts)
    if failures:
        result["errors"] = failures_of(failures)
    return result


def failures_of(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return index, error and reason of rows that failed, in the order of the data."""
    return [
        {"index": each.index, "error": each.error, "reason": str(each.error)}
        for each in sorted(failures, key=lambda each: each.index)
    ]
