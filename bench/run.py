"""Measure DataFlow against the clients it stands on, and against its limits.

Every ratio comes from one run, both sides in turn. See ``--help``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import hop
import postgresql
import sqlite
from contest import Effort
from figure import Figure
from machine import describe
from report import as_json, show
from server import VARIABLE, run_server
from startup import measure_import, measure_memory

RESULTS: Final = Path(__file__).parent / "results"
FULL: Final = Effort(rounds=25, size=100)
QUICK: Final = Effort(rounds=5, size=30)

NAMES: Final = (
    "create",
    "read",
    "hop",
    "import",
    "memory",
    "runtime",
    "concurrent",
    "bulk",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the status to exit with."""
    given = _parser().parse_args(arguments)
    effort = QUICK if given.quick else FULL
    machine = describe()
    if given.one_core:
        machine |= _stay_on_one_core()
    figures: list[Figure] = []
    with ExitStack() as stack:
        url = ""
        if not set(postgresql.MEASURES).isdisjoint(given.only):
            url = stack.enter_context(run_server())
            machine |= asyncio.run(postgresql.settings(url))
        for name in given.only:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            figures.extend(_measure(name, url, effort))
        # Last: once imported, trio-asyncio slows asyncio down for the whole process.
        for name in given.only if find_spec("trio_asyncio") else ():
            print(f"measuring {name} on trio ...", file=sys.stderr, flush=True)
            figures.extend(_measure_on_trio(name, url, effort))
    show(machine, figures)
    text = as_json(machine, figures)
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for path in filter(None, (RESULTS / f"{stamp}.json", given.json)):
        path.write_bytes(text)
    return int(given.check and any(each.is_over for each in figures))


def _stay_on_one_core() -> dict[str, str]:
    """Bind this process, and the server it starts, to one core.

    A client and a server that wake each other across cores pay for it or not, as the
    scheduler pleases; on small machines that changes from one second to the next.
    """
    if sys.platform != "linux":
        msg = "--one-core is for Linux only"
        raise SystemExit(msg)
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return {"bound to core": str(core)}


def _measure(name: str, url: str, effort: Effort) -> Iterator[Figure]:
    """Yield the figures of *name*, one of `NAMES`, but for those on trio."""
    if name == "import":
        yield from measure_import(effort.rounds)
    if name == "memory":
        yield from measure_memory(effort.rounds)
    if name == "hop":
        yield from hop.measure("asyncio", effort)
    if name in postgresql.MEASURES:
        yield from postgresql.measure_asyncio(url, name, effort)
    if name in sqlite.MEASURES:
        yield from sqlite.measure(name, effort)


def _measure_on_trio(name: str, url: str, effort: Effort) -> Iterator[Figure]:
    """Yield the figures of *name* on trio, if it has any."""
    if name == "hop":
        yield from hop.measure("trio", effort)
    if name in {"create", "read"}:
        yield from postgresql.measure_trio(url, name, effort)


def _names(text: str) -> list[str]:
    names = [each.strip() for each in text.split(",")]
    for name in names:
        if name not in NAMES:
            msg = f"{name!r} is none of {', '.join(NAMES)}"
            raise argparse.ArgumentTypeError(msg)
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description=__doc__,
        epilog=f"{VARIABLE} names a PostgreSQL to use; without it one is started.",
    )
    parser.add_argument(
        "--only",
        type=_names,
        default=list(NAMES),
        metavar="NAMES",
        help=f"comma-separated, of: {', '.join(NAMES)}",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, a rough idea")
    parser.add_argument(
        "--one-core",
        action="store_true",
        help="bind everything to one core: steadier, without the cost of wake-ups",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it there too")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 if a figure is over its limit"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
