"""Tenants that are exported, and imported elsewhere."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest
from tenants import Apart, Place

from dataflow import PII, DataFlow
from dataflow.errors import (
    BlockedError,
    ExportError,
    TenantStateError,
    UnknownTenantError,
)
from dataflow.models import field
from dataflow.protection import deny


class StoppedError(Exception):
    """Somebody pulled the plug."""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def declared(url: str, **options: Any) -> DataFlow:
    db = DataFlow(url, pool_size=4, **options)

    @db.model
    class Person:
        name: str
        mail: Annotated[str, PII("email")] = "ann@example.org"
        chief_id: int | None = None
        home_id: UUID | None = None

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [
                {"fields": ["chief_id"], "references": "Person"},
                {"fields": ["home_id"], "references": "House"},
            ],
            "audit": "full",
            "timestamps": True,
            "soft_delete": True,
            "versioned": True,
        }

    @db.model
    class House:
        id: UUID = field(default_factory=uuid4, primary_key=True)
        owner_id: int | None = None

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [{"fields": ["owner_id"], "references": "Person"}],
        }

    @db.model
    class Thing:
        person_id: int
        price: Decimal
        weight: float
        bits: bytes
        day: date
        hour: time
        lasts: timedelta
        seen: datetime
        colour: Colour
        size: Literal["s", "m"]
        tags: list[str]
        more: dict[str, Any]
        note: str | None = None

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [{"fields": ["person_id"], "references": "Person"}],
        }

    return db


def thing(person: int, n: int) -> dict[str, Any]:
    return {
        "person_id": person,
        "price": Decimal("12.50"),
        "weight": [0.1, 1e16, -2.5e300][n % 3],
        "bits": bytes(range(n % 256)),
        "day": date(2026, 2, 28),
        "hour": time(23, 59, 59, 999_999),
        "lasts": timedelta(days=-1, microseconds=1),
        "seen": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "colour": Colour.BLUE,
        "size": "m",
        "tags": ["a", "", "é"],
        "more": {"n": n, "deep": [1, {"x": None}]},
        "note": None if n % 2 else 'lines\nof "text"',
    }


async def fill(db: DataFlow, tenant: str) -> None:
    """Store rows that refer to each other, and to themselves."""
    with db.tenant(tenant):
        chief = await db["Person"].create(name="chief")
        house = await db["House"].create(owner_id=chief["id"])
        clerk = await db["Person"].create(name="clerk", chief_id=chief["id"])
        await db["Person"].update(
            chief["id"], chief_id=clerk["id"], home_id=house["id"]
        )
        gone = await db["Person"].create(name="gone", chief_id=chief["id"])
        await db["Person"].delete(gone["id"])
        await db["Thing"].bulk_create(
            [thing((chief, clerk)[n % 2]["id"], n) for n in range(1203)]
        )


async def told(db: DataFlow, tenant: str) -> dict[str, Any]:
    """Return what a tenant has, with names in place of keys that come anew."""
    with db.tenant(tenant):
        people = (await db["Person"].list(include_deleted=True, limit=100))["records"]
        houses = (await db["House"].list())["records"]
        things = (await db["Thing"].list(limit=2000))["records"]
    names = {each["id"]: each["name"] for each in people}
    names[None] = None

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: row[name] for name in row if name != "tenant_id"}
        for name in ("chief_id", "owner_id", "person_id"):
            if name in kept:
                kept[name] = names[kept[name]]
        if not isinstance(kept["id"], UUID):
            del kept["id"]
        return kept

    return {
        "people": [plain(row) for row in people],
        "houses": [plain(row) for row in houses],
        "things": [plain(row) for row in things],
    }


@pytest.fixture
async def db(kept: Apart) -> AsyncIterator[DataFlow]:
    db = declared(kept.url, tenancy=kept.tenancy)
    async with db:
        for name in ("globex", "acme"):
            await db.tenants.create(name)
            await fill(db, name)
        yield db
        await kept.clear(db)
    await db.aclose()


async def test_a_tenant_comes_back_as_it_was(db: DataFlow, tmp_path: Path) -> None:
    before = await told(db, "acme")
    steps: list[tuple[str, int]] = []

    def tell(model: str, n_done: int) -> None:
        steps.append((model, n_done))

    made = await db.tenants.export("acme", tmp_path / "out", on_rows=tell)
    assert made.rows == {"Person": 3, "House": 1, "Thing": 1203}
    assert ("Thing", 1203) in steps
    await db.tenants.import_("again", tmp_path / "out")

    assert await told(db, "again") == before
    assert await told(db, "acme") == before
    for name in ("out", "more"):  # what is masked for readers is whole
        if name == "more":
            await db.tenants.export("again", tmp_path / name)
        assert b"ann@example.org" in (tmp_path / name / "Person.jsonl").read_bytes()
    with db.tenant("again"):
        assert (await db["Person"].create(name="new"))["version"] == 1
    assert (await db.audit.verify()) is not None


async def test_what_was_changed_on_the_way_is_refused(
    db: DataFlow, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    await db.tenants.export("acme", path)
    with pytest.raises(ExportError, match="already"):
        await db.tenants.export("acme", path)
    with pytest.raises(ExportError, match="has rows"):
        await db.tenants.import_("globex", path)

    lines = (path / "Person.jsonl").read_bytes()
    (path / "Person.jsonl").write_bytes(lines.replace(b"clerk", b"chief"))
    with pytest.raises(ExportError, match=r"Person\.jsonl is not what"):
        await db.tenants.import_("again", path)
    (path / "Person.jsonl").unlink()
    with pytest.raises(ExportError, match="file system"):
        await db.tenants.import_("again", path)
    (path / "manifest.json").write_bytes(b"{}")
    with pytest.raises(ExportError, match="manifest"):
        await db.tenants.import_("again", path)
    (path / "manifest.json").unlink()
    with pytest.raises(ExportError, match="file system"):
        await db.tenants.import_("again", path)
    assert [each.name for each in await db.tenants.list()] == ["acme", "globex"]


async def test_an_import_that_failed_stores_nothing_and_goes_on(
    db: DataFlow, tmp_path: Path
) -> None:
    await db.tenants.export("acme", tmp_path / "out")
    before = await told(db, "acme")

    def stop(model: str, n_done: int) -> None:
        if (model, n_done) == ("Thing", 1000):
            raise StoppedError

    with pytest.raises(StoppedError):
        await db.tenants.import_("again", tmp_path / "out", on_rows=stop)
    assert (await db.tenants.get("again")).state == "importing"
    with pytest.raises(TenantStateError, match="import_"):
        await db.tenants.export("again", tmp_path / "more")
    await db.tenants.import_("again", tmp_path / "out")
    assert await told(db, "again") == before


async def test_an_export_that_failed_leaves_nothing_of_its_name(
    db: DataFlow, tmp_path: Path
) -> None:
    def stop(model: str, n_done: int) -> None:
        del model, n_done
        raise StoppedError

    with pytest.raises(StoppedError):
        await db.tenants.export("acme", tmp_path / "out", on_rows=stop)
    assert not (tmp_path / "out").exists()
    await db.tenants.export("acme", tmp_path / "out")
    with pytest.raises((UnknownTenantError, ExportError)):
        await db.tenants.export("acme", tmp_path / "out")


async def test_what_the_sender_may_not_see_is_not_exported(
    sqlite_url: str, tmp_path: Path
) -> None:
    db = declared(sqlite_url, protection=[deny("read", models="Person", id="no")])
    async with db:
        with pytest.raises(BlockedError):
            await db.tenants.export("acme", tmp_path / "out")

        @db.model
        class Person:  # pyright: ignore[reportUnusedClass]
            name: str = field(mask="full")

            __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

    await db.aclose()


async def test_a_second_wall_holds_exports_and_imports_too(
    walled: Place, tmp_path: Path
) -> None:
    db = declared(walled.url, **walled.options)
    async with db:
        for name in ("globex", "acme"):
            await fill(db, name)
        before = await told(db, "acme")
        await db.tenants.export("acme", tmp_path / "out")
        await db.tenants.import_("again", tmp_path / "out")
        assert await told(db, "again") == before
    await db.aclose()


async def test_a_tenant_moves_from_rows_to_a_database_of_its_own(
    tmp_path: Path,
) -> None:
    rows = declared(f"sqlite:///{tmp_path / 'rows.db'}")
    async with rows:
        await fill(rows, "acme")
        before = await told(rows, "acme")
        await rows.tenants.export("acme", tmp_path / "out")
    await rows.aclose()
    apart = declared(f"sqlite:///{tmp_path / 'apart.db'}", tenancy="database")
    async with apart:
        await apart.tenants.import_("acme", tmp_path / "out")
        assert await told(apart, "acme") == before
    await apart.aclose()


async def test_rows_of_other_models_are_refused(tmp_path: Path) -> None:
    rows = declared(f"sqlite:///{tmp_path / 'rows.db'}")
    async with rows:
        await rows.tenants.export("acme", tmp_path / "out")
    await rows.aclose()
    other = DataFlow(f"sqlite:///{tmp_path / 'other.db'}")
    async with other:
        with pytest.raises(ExportError, match="no model"):
            await other.tenants.import_("acme", tmp_path / "out")

        @other.model
        class House:  # pyright: ignore[reportUnusedClass]
            street: str

            __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  # as users write it

        manifest = tmp_path / "out" / "manifest.json"
        kept = msgspec.json.decode(manifest.read_bytes())
        kept["models"] = [each for each in kept["models"] if each["model"] == "House"]
        manifest.write_bytes(msgspec.json.encode(kept))
        with pytest.raises(ExportError, match="'id'"):
            await other.tenants.import_("acme", tmp_path / "out")
    await other.aclose()


async def test_rows_that_lead_in_a_circle_need_a_field_that_may_be_empty(
    sqlite_url: str, tmp_path: Path
) -> None:
    db = DataFlow(sqlite_url)

    @db.model
    class Ring:
        next_id: UUID
        id: UUID = field(default_factory=uuid4, primary_key=True)

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [{"fields": ["next_id"], "references": "Ring"}],
        }

    del Ring
    async with db:
        key = uuid4()
        await db["Ring"].create(id=key, next_id=key, tenant_id="acme")
        await db.tenants.export("acme", tmp_path / "out")
        with pytest.raises(ExportError, match="in a circle by next_id"):
            await db.tenants.import_("again", tmp_path / "out")
        assert await db["Ring"].count(tenant_id="acme") == 1
    await db.aclose()


async def test_an_export_whose_rows_lead_elsewhere_is_refused_as_a_whole(
    sqlite_url: str, tmp_path: Path
) -> None:
    db = declared(sqlite_url)
    async with db:
        await fill(db, "acme")
        path = tmp_path / "out"
        await db.tenants.export("acme", path)
        lines = (path / "House.jsonl").read_bytes()
        row = msgspec.json.decode(lines)
        manifest: dict[str, Any] = {}
        for change, problem in (
            ({"owner_id": 999}, "not in it"),
            ({"owner_id": "x"}, "no row of House"),
            ({"street": "x"}, "no row of House"),
        ):
            text = msgspec.json.encode(row | change) + b"\n"
            (path / "House.jsonl").write_bytes(text)
            manifest = msgspec.json.decode((path / "manifest.json").read_bytes())
            for each in manifest["models"]:
                if each["model"] == "House":
                    each["sha256"] = sha256(text).hexdigest()
            (path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
            with pytest.raises(ExportError, match=problem):
                await db.tenants.import_("again", path)
        with db.cross_tenant(reason="looking"):
            assert await db["House"].count(tenant_id="again") == 0
            assert await db["Person"].count(tenant_id="again") == 0
        first = manifest["models"][0]
        wrong: list[dict[str, Any]] = [
            {"version": 2},
            {"models": [{**first, "file": "../x"}]},
        ]
        for each in wrong:
            text = msgspec.json.encode(manifest | each)
            (path / "manifest.json").write_bytes(text)
            with pytest.raises(ExportError, match=r"version 1|no file of it"):
                await db.tenants.import_("again", path)
    await db.aclose()


@pytest.mark.parametrize("what", ["delete", "schema"])
async def test_rules_against_deleting_keep_the_place_of_a_tenant(
    apart: Apart, what: str
) -> None:
    db = declared(apart.url, tenancy=apart.tenancy)
    async with db:
        await db.tenants.create("acme")
        with db.tenant("acme"):
            await db["Person"].create(name="ann")
        with db.protect(deny(what, id="stays")), pytest.raises(BlockedError):
            await db.tenants.delete("acme", confirmed=True)
        assert (await db.tenants.delete("acme", confirmed=True)).is_done
    await db.aclose()
