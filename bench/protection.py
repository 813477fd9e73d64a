"""What judging costs: a message that passes ten rules, and a row of a bulk create."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

import anyio
from contest import Effort
from figure import Figure, Limit
from job import Job

from dataflow.actors import Turn
from dataflow.messages import Envelope, Operation, Request, Scope
from dataflow.models import Model, declare
from dataflow.protection import Protection, Rule, Window, allow, audit, deny, warn
from dataflow.sql import SQLITE, Packing, Terms, guarded, packer_of, table_of

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("protection",)

PER_MESSAGE: Final = Limit.at_most(plus=2e-6)
PER_ROW: Final = Limit.at_most(1, plus=50e-9)

_PLACE: Final = "no database"
_TURN: Final = 64


class _Person:
    name: str
    city: str
    age: int


PERSON: Final[Model] = declare(_Person)

RULES: Final[Sequence[Rule]] = (
    deny("delete", models="_Person", id="1"),
    deny("schema", id="2"),
    deny("write", models="_Person", when={"principal": "mallory"}, id="3"),
    deny("write", window=Window(until=datetime(2000, 1, 1, tzinfo=UTC)), id="4"),
    deny("bulk_update", max_rows=10, id="5"),
    warn("delete", id="6"),
    audit("update", id="7"),
    allow("create", id="8"),
    deny("update", models="_Person", fields="name", id="9"),
    deny("write", connections="production*", id="10"),
)
"""Ten, of which two have to be looked at for a create."""


def jobs(effort: Effort) -> list[Job]:
    """Return what to measure."""
    return [
        Job("protection", "judge", _PLACE, lambda: _measure_messages(effort)),
        Job("protection", "check fields", _PLACE, lambda: _measure_rows(effort)),
    ]


def _measure_messages(effort: Effort) -> list[Figure]:
    figures: list[Figure] = []
    kinds = {"no rules": [], "ten rules": list(RULES)}
    for name, rules in kinds.items():
        protection = Protection(rules, "bench", SQLITE)
        protection.declare(PERSON)
        rounds = [_judge(protection) for _ in range(effort.rounds)]
        figures.append(
            Figure(
                operation=f"judge a message, {name}",
                place=_PLACE,
                ours=rounds,
                limit=PER_MESSAGE,
            )
        )
    return figures


def _judge(protection: Protection) -> float:
    """Return the seconds that a message takes to pass, in turns of many."""
    turns = [Turn("/bench", [_message() for _ in range(_TURN)]) for _ in range(50)]

    async def pass_on(turn: Turn) -> None:
        del turn

    async def judge() -> float:
        start = perf_counter()
        for turn in turns:
            await protection.layer(turn, pass_on)
        return perf_counter() - start

    return anyio.run(judge) / (len(turns) * _TURN)


def _message() -> Envelope:
    request = Request(
        node="_PersonCreateNode",
        model="_Person",
        operation=Operation.CREATE,
        parameters={"name": "Ada", "city": "Bern", "age": 36},
    )
    return Envelope(message=request, principal="ada", scope=Scope())


def _measure_rows(effort: Effort) -> list[Figure]:
    """Pack rows with and without a look at which fields they name."""
    rows = [
        {"name": f"n{n}", "city": "Bern", "age": n % 90} for n in range(effort.rows)
    ]
    envelope = _message()
    protection = Protection(list(RULES), "bench", SQLITE)
    protection.declare(PERSON)
    anyio.run(_admit, protection, envelope)
    terms = envelope.terms or Terms()
    table = guarded(table_of(PERSON, SQLITE), terms, frozenset())
    packer = packer_of(PERSON, SQLITE)

    def admit(given: frozenset[str]) -> None:
        if table.admit is not None:
            table.admit(given, None)

    def plain() -> Packing:
        return packer.new({})

    def looked_at() -> Packing:
        return packer.new({}, admit=admit)

    raw, ours = [], []
    for _ in range(effort.rounds):
        raw.append(_pack(plain, rows))
        ours.append(_pack(looked_at, rows))
    return [
        Figure(
            operation="pack a row whose fields are looked at",
            place=_PLACE,
            ours=ours,
            raw=raw,
            against="packing it unseen",
            limit=PER_ROW,
        )
    ]


async def _admit(protection: Protection, envelope: Envelope) -> None:
    async def pass_on(turn: Turn) -> None:
        del turn

    await protection.layer(Turn("/bench", [envelope]), pass_on)


def _pack(make: Callable[[], Packing], rows: Sequence[dict[str, Any]]) -> float:
    packing = make()
    start = perf_counter()
    packing.pack(rows, _refuse)
    return (perf_counter() - start) / len(rows)


def _refuse(place: int) -> None:
    msg = f"row {place} is as usual"
    raise AssertionError(msg)
