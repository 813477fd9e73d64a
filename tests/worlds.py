"""Two databases that differ in this alone: in one of them another tenant has rows.

Whatever tenant A does comes to the same in both, and the rows of B stay as they are,
not even rewritten.
"""

# ruff: noqa: S608  # names of tables in this file

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from tenants import Place

from dataflow import DataFlow, field
from dataflow.audit import Version
from dataflow.drivers import Driver, connect, open_bridge, parse_url
from dataflow.errors import DataFlowError, WorkflowError
from dataflow.sql import POSTGRESQL, Explanation, Statement

__all__ = ["CODES", "Step", "World", "Worlds", "open_worlds"]

Step: TypeAlias = tuple[str, str, dict[str, Any]]
"""A model, a kind of node, and its parameters."""

Row: TypeAlias = dict[str, Any]

DIRECT: Final = frozenset({"Stream", "Explain", "Restore", "History"})

CODES: Final = ("k1", "k2", "k3", "k4", "k5")

TABLES: Final = {
    "customers": "code, email, level, country_code, deleted_at IS NULL",
    "orders": "code, customer_code, n, version",
    "lines": "order_code, place, what",
}
_AUDIT: Final = ("dataflow_audit", "dataflow_audit_leaves", "dataflow_audit_heads")
AUDIT: Final = {"postgresql": _AUDIT, "sqlite": (*_AUDIT, "dataflow_audit_keys")}

OURS: Final[dict[str, list[Row]]] = {
    "customers": [
        {"code": "k1", "email": "a@x", "level": 1, "country_code": "ch"},
        {"code": "k2", "email": None, "level": 2, "country_code": None},
        {"code": "k4", "email": "c@x", "level": 3, "country_code": "ch"},
    ],
    "orders": [
        {"code": "k1", "customer_code": "k1", "n": 1, "version": 1},
        {"code": "k2", "customer_code": "k1", "n": 2, "version": 1},
        {"code": "k3", "customer_code": None, "n": 3, "version": 1},
    ],
    "lines": [
        {"order_code": "k1", "place": 1, "what": "tea"},
        {"order_code": "k1", "place": 2, "what": "cup"},
    ],
}
THEIRS: Final[dict[str, list[Row]]] = {
    "customers": [
        {
            "code": code,
            "email": email,
            "level": 70 + n,
            "country_code": "ch",
        }
        for n, (code, email) in enumerate(
            zip((*CODES, "k9"), ("b@x", "a@x", None, "c@x", "d@x", "e@x"), strict=True)
        )
    ],
    "orders": [
        {"code": code, "customer_code": owner, "n": 70 + n, "version": 7}
        for n, (code, owner) in enumerate(
            zip((*CODES, "k9"), ("k1", "k2", "k9", "k4", "k5", None), strict=True)
        )
    ],
    "lines": [
        {"order_code": code, "place": place, "what": "secret"}
        for code in (*CODES, "k9")
        for place in (1, 2, 3)
    ],
}


def declare(db: DataFlow, *, is_apart: bool) -> None:
    """Declare models with all that hangs on tenants."""

    @db.model
    class Country:
        code: str = field(primary_key=True)

        # What has a table for each tenant refers to nothing that they share.
        __dataflow__ = {"multi_tenant": is_apart}  # noqa: RUF012  as users write it

    @db.model
    class Customer:
        code: str = field(primary_key=True)
        email: str | None = field(default=None, unique=True)
        level: int = 0
        country_code: str | None = field(default=None, references="Country")

        __dataflow__ = {"multi_tenant": True, "soft_delete": True}  # noqa: RUF012

    @db.model
    class Order:
        code: str = field(primary_key=True)
        customer_code: str | None = field(
            default=None, references="Customer", on_delete="cascade"
        )
        n: int = 0

        __dataflow__ = {  # noqa: RUF012  as users write it
            "multi_tenant": True,
            "versioned": True,
            "audit": "changes",
        }

    @db.model
    class Line:
        order_code: str = field(primary_key=True, references="Order")
        place: int = field(primary_key=True)
        what: str = ""

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it


class World:
    """One of the two, seen by tenant A, and by somebody who sees everything."""

    def __init__(self, db: DataFlow, eye: Driver, *, is_apart: bool) -> None:
        self.db = db
        self._eye = eye
        self.is_apart = is_apart
        self._pristine: list[Any] | None = None

    # -- as tenant A ------------------------------------------------------------

    async def tell(self, step: Step) -> object:
        """Return what came of a step, an error as its class and its words."""
        model, kind, given = step
        given = copy.deepcopy(given)
        try:
            if kind == "Pages":
                return await self._paged(model, given)
            if kind in DIRECT:
                return await self._call(model, kind, given)
            return plain(await self.run(model, kind, given))
        except DataFlowError as error:
            return plain(error)

    async def run(
        self, model: str, kind: str, given: dict[str, Any], tenant: str = "a"
    ) -> dict[str, Any]:
        """Run one node as a tenant."""
        workflow = self.db.workflow()
        workflow.add_node(f"{model}{kind}Node", "it", given)
        results, _ = await self.db.run(workflow.build(), tenant=tenant)
        return cast("dict[str, Any]", results["it"])

    async def _call(self, model: str, kind: str, given: dict[str, Any]) -> object:
        """Ask for what no workflow has a node for."""
        records = self.db[model]
        with self.db.tenant("a"):
            match kind:
                case "Stream":
                    return plain([row async for row in records.stream(**given)])
                case "Explain":
                    return plain(await records.explain(**given))
                case "Restore":
                    return plain(await records.restore(given["record_id"]))
                case _:
                    return plain(await records.history(given["record_id"]))

    async def _paged(self, model: str, given: dict[str, Any]) -> object:
        """Return all records, two at a time."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self.run(
                model, "List", {**given, "limit": 2, "cursor": cursor}
            )
            found += page["records"]
            cursor = page["next_cursor"]
            if cursor is None:
                return plain(found)

    # -- as somebody who sees everything ----------------------------------------

    async def rows(self, tenant: str) -> list[Any]:
        """Return every row of a tenant; of B as it is stored, and where it lies."""
        dialect = self._eye.dialect
        where = "xmin::text, ctid::text" if dialect is POSTGRESQL else "rowid"
        at, theirs = self._at(tenant)
        tables = dict(TABLES)
        if tenant == "b" and self.is_apart:
            tables |= dict.fromkeys(_AUDIT, "")
        looks = [
            Statement(
                f"SELECT {columns if tenant == 'a' else f'*, {where}'} "
                f"FROM {at}{table}{theirs} ORDER BY 1, 2, 3",
                returns_rows=True,
            )
            for table, columns in tables.items()
        ]
        async with self._eye.acquire(write=False) as connection:
            results = await connection.run(looks)
        return [tuple(row) for result in results for row in result.rows]

    async def reset(self, *, has_others: bool) -> None:
        """Make it what it was at first, as far as somebody changed it."""
        statements = [*self._deletions("a"), *self._insertions("a", OURS)]
        recorded, at = AUDIT[self._eye.dialect.name], self._at("a")[0]
        statements += [Statement(f"DELETE FROM {at}{table}") for table in recorded]
        if has_others and (
            self._pristine is None or await self.rows("b") != self._pristine
        ):
            statements += [*self._deletions("b"), *self._insertions("b", THEIRS)]
            self._pristine = None
        async with self._eye.acquire() as connection:
            await connection.run(statements)
        if has_others and self._pristine is None:
            self._pristine = await self.rows("b")

    def _at(self, tenant: str) -> tuple[str, str]:
        """Return where a tenant's rows are, and which of those that are there."""
        if self.is_apart:
            return f"tenant_{tenant}.", ""
        return "", f" WHERE tenant_id = '{tenant}'"

    def _deletions(self, tenant: str) -> list[Statement]:
        at, theirs = self._at(tenant)
        return [
            Statement(f"DELETE FROM {at}{table}{theirs}") for table in reversed(TABLES)
        ]

    def _insertions(
        self, tenant: str, seed: Mapping[str, Sequence[Row]]
    ) -> list[Statement]:
        dialect = self._eye.dialect
        made: list[Statement] = []
        at, whose = self._at(tenant)[0], () if self.is_apart else (tenant,)
        for table, rows in seed.items():
            names = (*(("tenant_id",) if whose else ()), *rows[0])
            columns = ", ".join(map(dialect.quote, names))
            places = ", ".join(dialect.place(n + 1) for n in range(len(names)))
            text = f"INTO {at}{table} ({columns}) VALUES ({places})"
            made += [
                Statement(f"INSERT {text}", (*whose, *row.values())) for row in rows
            ]
        return made

    async def is_as_it_was(self) -> bool:
        """Whether nothing of the others was touched."""
        return await self.rows("b") == self._pristine

    async def poison(self) -> None:
        """Make tables where plain names lead that nobody may read or write."""
        names = (*TABLES, "countries", "dataflow_place")
        async with self._eye.acquire() as connection:
            await connection.run([Statement(f"CREATE TABLE {n} ()") for n in names])

    async def recorded_in_common(self) -> set[str]:
        """Return the models of which the audit of the database itself has records."""
        look = Statement("SELECT DISTINCT model FROM dataflow_audit", returns_rows=True)
        async with self._eye.acquire(write=False) as connection:
            (result,) = await connection.run((look,))
        return {str(name) for (name,) in result.rows}


class Worlds:
    """Both of them."""

    def __init__(self, mixed: World, alone: World) -> None:
        self.mixed = mixed
        self.alone = alone

    async def reset(self) -> None:
        """Make them what they were at first."""
        await self.mixed.reset(has_others=True)
        await self.alone.reset(has_others=False)

    async def play(self, program: Sequence[Step]) -> None:
        """Do the same in both, and hold them against each other."""
        await self.reset()
        for step in map(self._fitting, program):
            given = await self._stolen(step)
            assert await self.mixed.tell(given) == await self.alone.tell(given), step
        assert await self.mixed.rows("a") == await self.alone.rows("a")
        assert await self.mixed.is_as_it_was()

    def _fitting(self, step: Step) -> Step:
        """Return a step with filters about another field, where rows have no tenant."""
        model, kind, given = step
        if not self.mixed.is_apart or "filter" not in given:
            return step
        key = "order_code" if model == "Line" else "code"
        return model, kind, {**given, "filter": renamed(given["filter"], key)}

    async def _stolen(self, step: Step) -> Step:
        """Return a step with a cursor of the others, if it is about one."""
        model, kind, given = step
        if kind != "Stolen":
            return step
        page = await self.mixed.run(model, "List", {**given, "limit": 1}, tenant="b")
        return model, "List", {**given, "limit": 1, "cursor": page["next_cursor"]}


@asynccontextmanager
async def open_worlds(mixed: Place, alone: Place) -> AsyncGenerator[Worlds]:
    """Give two new worlds."""
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(open_bridge())
        worlds: list[World] = []
        for place in (mixed, alone):
            is_apart = "tenancy" in place.options
            db = DataFlow(place.url, pool_size=4, cursor_key="k" * 16, **place.options)
            declare(db, is_apart=is_apart)
            eye = connect(parse_url(place.all_url), bridge, pool_size=2)
            stack.push_async_callback(eye.aclose)
            world = World(db, eye, is_apart=is_apart)
            worlds.append(world)
            if is_apart:
                await world.poison()
            await stack.enter_async_context(db)
            await db.initialize()
            if not is_apart:
                await db["Country"].create(code="ch")
                continue
            for tenant in "ab" if place is mixed else "a":
                await db.tenants.create(tenant)
                await db["Country"].create(code="ch", tenant_id=tenant)
        yield Worlds(*worlds)
        for world in worlds:
            if "tenancy" in mixed.options:
                assert await world.recorded_in_common() == {"DataflowTenant"}


def renamed(part: Any, key: str) -> Any:  # a filter, or a part of one
    """Return a filter that asks of *key* what it asked of the tenant."""
    if isinstance(part, dict):
        named = cast("dict[str, Any]", part)
        return {
            key if name == "tenant_id" else name: renamed(each, key)
            for name, each in named.items()
        }
    if isinstance(part, list):
        return [renamed(each, key) for each in cast("Sequence[Any]", part)]
    return part


def plain(value: Any) -> Any:  # whatever came
    """Return what is to be equal: no times, no error but its class and words."""
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {
            name: "a cursor" if name == "next_cursor" and each else plain(each)
            for name, each in named.items()
        }
    if isinstance(value, list | tuple):
        return [plain(each) for each in cast("Sequence[Any]", value)]
    return _one(value)


def explained(found: Explanation) -> dict[str, Any]:
    """Return what is to be equal of an explanation."""
    told = found.as_dict() | {"duration_s": None}
    if "Total Cost" not in str(found.raw):
        return told
    # Of its own table a tenant is told numbers: pages that were written, and times.
    return {name: told[name] for name in ("sql", "types", "rows")}


def _one(value: Any) -> Any:  # likewise
    match value:
        case WorkflowError():
            value = _one(value.__cause__)
        case BaseException():
            value = type(value).__name__, str(value)
        case Version():
            asked = None if value.facts is None else value.facts.operation
            value = value.action, plain(value.old), plain(value.new), asked
        case Explanation():
            value = explained(value)
        case datetime():
            value = "a time"
        case _:
            pass
    return value
