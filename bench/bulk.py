"""Many rows at once: ours against COPY, staging tables and executemany."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from contest import Effort, compete
from figure import Figure, Limit
from job import Job
from people import Person, new_people
from places import held_everywhere
from raw import YOUNG, Opened, Raw
from server import Server

from dataflow import Records

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("bulk-create", "bulk-update", "bulk-upsert", "bulk-delete")

_ROUNDS: Final = 0.36
"""Share of the usual rounds: 9 of 25, and each handles many rows."""


class _Turn(msgspec.Struct):
    """What the operation in turn needs; made anew before each.

    Attributes:
        data: Rows to store or to change.
        keys: Of rows to delete.
        count: Rows that the operation handles.
    """

    data: Sequence[Person] = ()
    keys: Sequence[int] = ()
    count: int = 0


class _Contest(msgspec.Struct, frozen=True):
    """One way to handle many rows.

    Attributes:
        name: What ``--only`` calls it.
        operation: What the report calls it.
        method: Of the raw side.
        ready: Makes the table and the turn ready for so many rows.
        raw: Does it by the client alone.
        ours: Does it.
        least: How often the raw rate at least, on PostgreSQL and on SQLite.
    """

    name: str
    operation: str
    method: str
    ready: Callable[[Raw, int], Awaitable[_Turn]]
    raw: Callable[[Raw, _Turn], Awaitable[object]]
    ours: Callable[[Records, _Turn], Awaitable[dict[str, Any]]]
    least: tuple[float | None, float | None]


async def _to_create(raw: Raw, n_rows: int) -> _Turn:
    await raw.fill(())
    return _Turn(data=new_people(n_rows), count=n_rows)


async def _to_change(raw: Raw, n_rows: int) -> _Turn:
    keys = await raw.fill(new_people(n_rows))
    data = [
        {"id": key, "name": f"Renamed {key}", "age": key % 90, "price": key * 0.5}
        for key in keys
    ]
    return _Turn(data=data, count=n_rows)


async def _half_there(raw: Raw, n_rows: int) -> _Turn:
    people = new_people(n_rows)
    await raw.fill(people[::2])
    for person in people[::2]:
        person.update(name=f"Again {person['name']}", price=person["price"] + 1)
    return _Turn(data=people, count=n_rows)


async def _to_delete(raw: Raw, n_rows: int) -> _Turn:
    keys = (await raw.fill(new_people(n_rows)))[::2]
    return _Turn(keys=keys, count=len(keys))


async def _by_age(raw: Raw, n_rows: int) -> _Turn:
    people = new_people(n_rows)
    await raw.fill(people)
    return _Turn(count=sum(person["age"] < YOUNG for person in people))


_YOUNG: Final[Mapping[str, Any]] = {"age": {"$lt": YOUNG}}

_CONTESTS: Final = (
    _Contest(
        "bulk-create",
        "bulk create",
        "bulk_create",
        _to_create,
        lambda raw, turn: raw.bulk_create(turn.data),
        lambda people, turn: people.bulk_create(turn.data),
        (1.0, 0.9),
    ),
    _Contest(
        "bulk-create",
        "bulk create with ids",
        "bulk_create_ids",
        _to_create,
        lambda raw, turn: raw.bulk_create_ids(turn.data),
        lambda people, turn: people.bulk_create(turn.data, return_ids=True),
        (0.9, 0.9),
    ),
    _Contest(
        "bulk-update",
        "bulk update by rows",
        "bulk_update",
        _to_change,
        lambda raw, turn: raw.bulk_update(turn.data),
        lambda people, turn: people.bulk_update(data=turn.data),
        (0.9, 0.8),
    ),
    _Contest(
        "bulk-update",
        "bulk update by filter",
        "bulk_update_filter",
        _by_age,
        lambda raw, _: raw.bulk_update_filter(),
        lambda people, _: people.bulk_update(filter=_YOUNG, update={"active": False}),
        (None, None),
    ),
    _Contest(
        "bulk-upsert",
        "bulk upsert, half new",
        "bulk_upsert",
        _half_there,
        lambda raw, turn: raw.bulk_upsert(turn.data),
        lambda people, turn: people.bulk_upsert(turn.data, key_fields=["email"]),
        (0.9, 0.9),
    ),
    _Contest(
        "bulk-delete",
        "bulk delete by ids",
        "bulk_delete",
        _to_delete,
        lambda raw, turn: raw.bulk_delete(turn.keys),
        lambda people, turn: people.bulk_delete(ids=turn.keys),
        (0.9, 0.9),
    ),
    _Contest(
        "bulk-delete",
        "bulk delete by filter",
        "bulk_delete_filter",
        _by_age,
        lambda raw, _: raw.bulk_delete_filter(),
        lambda people, _: people.bulk_delete(filter=_YOUNG),
        (0.95, 0.95),
    ),
)


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure of *name*, one of `NAMES`."""
    found: list[Job] = []
    for contest in _CONTESTS:
        if contest.name == name:
            measures = (
                partial(_measure, contest=contest, least=least, effort=effort)
                for least in contest.least
            )
            found += held_everywhere(server, name, contest.operation, *measures)
    return found


async def _measure(
    opened: Opened, *, contest: _Contest, least: float | None, effort: Effort
) -> list[Figure]:
    turn = _Turn()
    async with opened as (raw, db):
        people = db["Person"]

        async def ready() -> None:
            nonlocal turn
            turn = await contest.ready(raw, effort.rows)

        async def ours() -> None:
            result = await contest.ours(people, turn)
            if result["processed"] != turn.count:
                msg = f"processed {result['processed']} rows instead of {turn.count}"
                raise RuntimeError(msg)

        seconds = await compete(
            {"raw": lambda: contest.raw(raw, turn), "ours": ours},
            msgspec.structs.replace(effort.scaled(rounds=_ROUNDS), size=1),
            before=ready,
        )
    figure = Figure(
        operation=contest.operation,
        place=raw.place,
        ours=seconds["ours"],
        raw=seconds["raw"],
        against=raw.against[contest.method],
        limit=None if least is None else Limit.at_least(least),
    )
    return [figure.per_second(turn.count)]
