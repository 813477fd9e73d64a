"""What it costs to keep tenants apart, and to keep a record of changes.

Both sides are ours, on tables of the same columns: a read for a tenant against a read,
and a bulk create that is audited against one that is not.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any, Final

from contest import Effort, alternate
from figure import Figure, Limit
from job import Job
from machine import on_one_core
from places import held_everywhere
from raw import Opened
from server import Server

from dataflow import DataFlow, field

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("tenant", "audit")

_ROWS: Final = 10_000

_TENANT: Final = Limit(1.0, 3e-6)
"""Seconds that a predicate may cost a message."""

_CALLS: Final = 0.05
"""Share of the usual calls in a turn: five, of which one is the median.

Where PostgreSQL has no finished segment of its log to use again, it makes one, which
takes as long as several calls: one call in three, at first.
"""

_LEVELS: Final = {
    "summary": Limit.at_most(1 / 0.9),
    "changes": Limit.at_most(1 / 0.4),
}
"""The levels of the audit, and how much longer a bulk create may take at each."""


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    if name == "tenant":
        measure = partial(_measure_tenant, effort=effort)
        return held_everywhere(server, name, "read for a tenant", measure)
    found: list[Job] = []
    for level in _LEVELS:
        audit = partial(_measure_audit, level=level, effort=effort)
        found += held_everywhere(server, name, f"audit {level}", audit)
    return found


async def _measure_tenant(opened: Opened, *, effort: Effort) -> list[Figure]:
    async with opened as (raw, db):
        _declare(db, "Shared", {}, owner="t")  # a column as wide as `tenant_id`
        _declare(db, "Kept", {"multi_tenant": True})
        await db["Shared"].bulk_delete(filter={}, confirmed=True)
        await db["Shared"].create(code="a", n=1)
        with db.tenant("t"):
            await db["Kept"].bulk_delete(filter={}, confirmed=True)
            await db["Kept"].create(code="a", n=1)
            with on_one_core(await raw.servers()):
                seconds = await alternate(
                    {
                        "shared": lambda: db["Shared"].read("a"),
                        "kept": lambda: db["Kept"].read("a"),
                    },
                    effort.scaled(size=4),
                )
    return [
        Figure(
            operation="read for a tenant",
            place=raw.place,
            ours=seconds["kept"],
            raw=seconds["shared"],
            against="without tenants",
            limit=_TENANT,
        )
    ]


async def _measure_audit(opened: Opened, *, level: str, effort: Effort) -> list[Figure]:
    async with opened as (raw, db):
        _declare(db, "Unaudited", {})
        _declare(db, "Audited", {"audit": level})
        for model in ("Unaudited", "Audited"):
            await db[model].bulk_delete(filter={}, confirmed=True)
        batches = count()

        async def store(model: str) -> None:
            batch = next(batches)
            rows = [{"code": f"{batch}-{n}", "n": n} for n in range(_ROWS)]
            await db[model].bulk_create(rows)

        seconds = await alternate(
            {"off": lambda: store("Unaudited"), "on": lambda: store("Audited")},
            effort.scaled(rounds=0.4, size=_CALLS),
        )
    return [
        Figure(
            operation=f"audit {level}, bulk create of {_ROWS}",
            place=raw.place,
            ours=seconds["on"],
            raw=seconds["off"],
            against="without audit",
            limit=_LEVELS[level],
        )
    ]


def _declare(db: DataFlow, name: str, options: dict[str, Any], **columns: str) -> None:
    class Thing:
        code: str = field(primary_key=True)
        n: int = 0

        __dataflow__ = options

    more = {"__annotations__": dict.fromkeys(columns, str), **columns}
    db.model(type(name, (Thing,), more))
