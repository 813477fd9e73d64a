"""Measure DataFlow against the clients it stands on, and against its limits.

Every ratio comes from one run, both sides in turn. See ``--help``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import bulk
import callers
import claims
import document
import flooding
import hop
import keeping
import lists
import memory
import migrating
import migrations
import on_trio
import pages
import protection
import relations
import single
import startup
import throughput
from contest import Effort
from figure import Figure
from job import Job
from machine import describe
from peers import table
from peers.race import race
from plot import draw
from report import as_json, show
from server import VARIABLE, Server

RESULTS: Final = Path(__file__).parent / "results"
PLOT: Final = Path(__file__).parents[1] / "docs" / "throughput.svg"
FULL: Final = Effort(rounds=25, size=100, rows=50_000)
QUICK: Final = Effort(rounds=5, size=30, rows=10_000)
ENDLESS: Final = 10_000_000
QUICKLY_ENDLESS: Final = 300_000
"""Rows for ``memory``; ``migrating`` has a tenth of them."""
TENTH: Final = 10

NAMES: Final = (
    *single.NAMES,
    "hop",
    "import",
    *callers.NAMES,
    *bulk.NAMES,
    *lists.NAMES,
    *protection.NAMES,
    *pages.NAMES,
    *relations.NAMES,
    *keeping.NAMES,
    *memory.NAMES,
    *migrating.NAMES,
    *migrations.NAMES,
    *flooding.NAMES,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the status to exit with."""
    given = _parser().parse_args(arguments)
    if given.peers:
        return _race(given)
    effort = QUICK if given.quick else FULL
    rows = given.rows or (QUICKLY_ENDLESS if given.quick else ENDLESS)
    machine = describe()
    if given.one_core:
        machine |= _stay_on_one_core()
    figures: list[Figure] = []
    with Server() as server:
        chosen = (
            throughput.jobs(server, effort)
            if given.plot
            else _jobs(server, given.only, effort, rows)
        )
        for job in chosen:
            print(f"measuring {job.operation}, {job.place} ...", file=sys.stderr)
            figures.extend(job.run())
        machine |= server.describe()
    if given.plot:
        panels = throughput.panels(figures)
        PLOT.write_text(draw(panels, below="concurrent callers"))
    figures.extend(claims.compare(figures))
    show(machine, figures)
    _write(as_json(machine, figures), given.json)
    if given.write_docs:
        section = "throughput" if given.plot else "figures"
        document.fill(section, document.figures_section(machine, figures))
    bad = [each for each in figures if each.verdict in {"missed", "failed"}]
    return int(given.check and bool(bad))


def _jobs(
    server: Server, names: Sequence[str], effort: Effort, rows: int
) -> Iterator[Job]:
    """Yield what to measure; trio last.

    Once imported, trio-asyncio slows asyncio down for the whole process.
    """
    for name in names:
        if name == "import":
            yield from startup.jobs(effort)
        if name == "hop":
            yield from hop.jobs("asyncio", effort)
        if name in protection.NAMES:
            yield from protection.jobs(effort)
        yield from _large(server, name, effort, rows)
        if name in migrations.NAMES:
            yield from migrations.jobs(server, name, effort)
        for family in (single, callers, bulk, lists, pages, relations, keeping):
            if name in family.NAMES:
                yield from family.jobs(server, name, effort)
    for name in names if find_spec("trio_asyncio") else ():
        if name == "hop":
            yield from hop.jobs("trio", effort)
        if name in on_trio.NAMES:
            yield from on_trio.jobs(server, name, effort)


def _large(server: Server, name: str, effort: Effort, rows: int) -> Iterator[Job]:
    """Yield what is measured with very many rows."""
    if name in memory.NAMES:
        yield from memory.jobs(server, rows)
    if name in migrating.NAMES:
        yield from migrating.jobs(server, rows // TENTH)
    if name in flooding.NAMES:
        yield from flooding.jobs(server, is_quick=effort.rounds < FULL.rounds)


def _race(given: argparse.Namespace) -> int:
    """Measure the peers, and print the table of the race."""
    machine = describe()
    with Server(by_tcp=True) as server:
        outcomes, versions = race(
            server,
            is_quick=given.quick,
            tell=lambda what: print(f"measuring {what} ...", file=sys.stderr),
        )
        machine |= server.describe() | versions
    table.show(machine, outcomes)
    _write(table.as_json(machine, outcomes), given.json)
    if given.write_docs:
        document.fill("peers", table.as_markdown(machine, outcomes))
    return 0


def _write(text: bytes, wanted: Path | None) -> None:
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for path in filter(None, (RESULTS / f"{stamp}.json", wanted)):
        path.write_bytes(text)


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


def _names(text: str) -> list[str]:
    """Return the names meant; ``bulk`` means all that begin with ``bulk-``."""
    found: list[str] = []
    for given in text.split(","):
        name = given.strip()
        meant = [each for each in NAMES if each == name or each.startswith(f"{name}-")]
        if not meant:
            msg = f"{name!r} is none of {', '.join(NAMES)}"
            raise argparse.ArgumentTypeError(msg)
        found += meant
    return found


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
        help=f"comma-separated, of: {', '.join(NAMES)}; bulk means all of bulk-*",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, a rough idea")
    parser.add_argument(
        "--rows",
        type=int,
        metavar="N",
        help=f"rows for memory, a tenth of them for migrating, instead of {ENDLESS} ({QUICKLY_ENDLESS} if quick)",
    )
    parser.add_argument(
        "--one-core",
        action="store_true",
        help="bind everything to one core: steadier, without the cost of wake-ups",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="measure other libraries too, each in an environment of its own, instead",
    )
    parser.add_argument(
        "--plot",
        action="store_true",
        help="measure throughput over the number of callers and draw it instead",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it there too")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help=f"replace the section of {document.PAGE.name} about what is measured",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 1 if a figure misses its limit or could not be measured",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
