"""The rows of the registry.

Rules of this file: a content of a model is one row for good, whoever registers it and
how often. Who writes holds a lock, and looks again once it has it; who finds that
nothing is new never writes. All of a registration is stored, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ...drivers import Connection, Driver
from ...models import Model
from ...sql import Dialect, Statement, Table, parse, parse_order, table_of
from ...telemetry import get_log
from .._table import ensure_table, has_table
from ._definition import checksum, define
from ._entry import REGISTRY, Drift, Entry

__all__ = ["drift", "entries", "register"]

# Freed at the end of the transaction. SQLite's writer has the only lock there is.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

_log = get_log("dataflow.schema")

_Defined = Mapping[str, tuple[dict[str, Any], str]]


async def entries(driver: Driver, model: str | None = None) -> list[Entry]:
    """Return the versions of a model, or the current version of every model.

    Without a registry there are none; none is made.

    Args:
        driver: The connections to the database.
        model: Whose versions, the first one first; None asks for the current ones of
            all models, by name.

    Raises:
        DriverError: The database could not be read.
    """
    if not await has_table(driver, REGISTRY):
        return []
    where = None if model is None else {"model": model}
    async with driver.acquire(write=False) as connection:
        rows = await _read(connection, driver.dialect, where)
    return rows if model is not None else [*_current(rows).values()]


async def register(driver: Driver, models: Sequence[Model]) -> dict[str, Entry]:
    """Make each of *models* the current version of its name, and return the new ones.

    What is current already is left alone, without a write. Another content of a known
    name is reported as ``model_changed``. If cancelled, all is registered, or nothing.

    Raises:
        ModelError: A model cannot be told in JSON.
        DriverError: The database refused, or could not be reached.
    """
    defined = _defined(models)
    if not _new(defined, await entries(driver)):
        return {}
    await ensure_table(driver, REGISTRY)
    table = table_of(REGISTRY, driver.dialect)
    async with driver.acquire() as connection, connection.transaction():
        if driver.dialect.name == "postgresql":
            lock = Statement(_LOCK, ("dataflow registry",), returns_rows=True)
            await connection.run([lock])
        rows = await _read(connection, driver.dialect, None)
        made = _made(defined, rows)
        for entry in made.values():
            await connection.run(_stored(table, entry, rows))
    for entry in made.values():
        report = _log.warning if entry.activation > 1 else _log.info
        event = "model_changed" if entry.activation > 1 else "model_registered"
        report(event, model=entry.model, version=entry.version, checksum=entry.checksum)
    return made


async def drift(driver: Driver, models: Sequence[Model]) -> list[Drift]:
    """Return what differs between *models* and the current versions; writes nothing.

    Each difference is reported as ``model_drifted`` too.

    Raises:
        ModelError: A model cannot be told in JSON.
        DriverError: The database could not be read.
    """
    defined = _defined(models)
    current = {entry.model: entry for entry in await entries(driver)}
    found: list[Drift] = []
    for name in sorted({*defined, *current}):
        entry = current.get(name)
        declared = defined[name][1] if name in defined else None
        if entry is None:
            found.append(Drift(model=name, kind="unregistered", declared=declared))
        elif entry.checksum != declared:
            found.append(
                Drift(
                    model=name,
                    kind="undeclared" if declared is None else "changed",
                    declared=declared,
                    registered=entry.checksum,
                    version=entry.version,
                )
            )
    for each in found:
        _log.warning("model_drifted", **msgspec.structs.asdict(each))
    return found


def _defined(models: Iterable[Model]) -> _Defined:
    definitions = {model.name: define(model) for model in models}
    return {name: (each, checksum(each)) for name, each in definitions.items()}


def _current(rows: Iterable[Entry]) -> dict[str, Entry]:
    current: dict[str, Entry] = {}
    for row in rows:
        other = current.get(row.model)
        if other is None or other.activation < row.activation:
            current[row.model] = row
    return current


def _new(defined: _Defined, rows: Iterable[Entry]) -> list[str]:
    """Return the names whose content is not the current one."""
    current = _current(rows)
    return [
        name
        for name, (_, sum_) in defined.items()
        if name not in current or current[name].checksum != sum_
    ]


def _made(defined: _Defined, rows: Sequence[Entry]) -> dict[str, Entry]:
    """Return the rows that make *defined* current."""
    now = datetime.now(UTC)
    made: dict[str, Entry] = {}
    for name in _new(defined, rows):
        definition, sum_ = defined[name]
        own = [row for row in rows if row.model == name]
        known = next((row for row in own if row.checksum == sum_), None)
        activation = 1 + max((row.activation for row in own), default=0)
        made[name] = Entry(
            model=name,
            version=len(own) + 1 if known is None else known.version,
            checksum=sum_,
            activation=activation,
            definition=definition,
            registered_at=now if known is None else known.registered_at,
            activated_at=now,
        )
    return made


def _stored(table: Table, entry: Entry, rows: Sequence[Entry]) -> list[Statement]:
    values = msgspec.structs.asdict(entry)
    if all(row.checksum != entry.checksum or row.model != entry.model for row in rows):
        return [table.insert(values)]
    key = {"model": entry.model, "version": entry.version}
    changes = {name: values[name] for name in ("activation", "activated_at")}
    return [table.update_key(key, changes)]


async def _read(
    connection: Connection, dialect: Dialect, where: Mapping[str, Any] | None
) -> list[Entry]:
    select = table_of(REGISTRY, dialect).select(
        parse(where, REGISTRY), order=parse_order(None, REGISTRY), decoded=True
    )
    (result,) = await connection.run([select])
    return [Entry(**row) for row in result.rows]
