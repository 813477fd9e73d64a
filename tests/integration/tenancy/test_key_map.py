"""Keys that come anew with an import are followed, in flat memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec
import pytest

from dataflow import DataFlow
from dataflow._dataflow.tenants._key_map import KeyMapError, key_map
from dataflow.errors import ExportError
from dataflow.models import field

N_KEYS = 100_000
SOME = 1000


async def test_random_keys_are_found_and_none_is_in_memory() -> None:
    random = Random(7)  # noqa: S311  # no secret
    some = [random.sample(range(10**6), SOME)]
    async with key_map() as keys:
        await keys.note("Warm", some[0], some[0])
        tracemalloc.start()
        try:
            for first in range(0, N_KEYS, SOME):
                # Each number below a prime comes once, in no order.
                old = [
                    (each * 48_271) % 2_147_483_647
                    for each in range(first, first + SOME)
                ]
                await keys.note("Thing", old, range(first, first + SOME))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        wanted = random.sample(range(N_KEYS), SOME)
        found = await keys.find(
            "Thing", [(each * 48_271) % 2_147_483_647 for each in wanted]
        )
        assert [*sorted(found.values())] == sorted(wanted)
        assert await keys.find("Other", [1, 2]) == {}
        assert await keys.find("Thing", [-5]) == {}

    assert peak < N_KEYS * 8  # a dict of them is ten times that


async def test_what_cannot_be_noted_is_said() -> None:
    async with key_map() as keys:
        await keys.note("Thing", [-(2**63), 2**63 - 1], [1, 2])
        with pytest.raises(KeyMapError, match="the same key"):
            await keys.note("Thing", [5, 5], [1, 2])
        with pytest.raises(KeyMapError, match="too large"):
            await keys.note("Thing", [2**63], [1])
        keys._connection.execute("PRAGMA max_page_count = 4")
        with pytest.raises(KeyMapError, match="full"):
            await keys.note("Other", range(10**4), range(10**4))


def declared(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Person:
        name: str
        chief_id: int | None = None

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [{"fields": ["chief_id"], "references": "Person"}],
        }

    @db.model
    class Badge:
        person_id: int = field(primary_key=True)
        kind: str = field(primary_key=True)
        room: int = 0

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "versioned": True,
            "foreign_keys": [{"fields": ["person_id"], "references": "Person"}],
        }

    @db.model
    class Note:
        text: str
        person_id: int

        __dataflow__ = {  # noqa: RUF012  # as users write it
            "multi_tenant": True,
            "foreign_keys": [{"fields": ["person_id"], "references": "Person"}],
        }

    del Person, Badge, Note
    return db


def rewrite(path: Path, key: Callable[[int], int]) -> None:
    """Give all rows of an export other keys, in another order."""
    manifest = msgspec.json.decode((path / "manifest.json").read_bytes())
    for each in manifest["models"]:
        rows = [
            msgspec.json.decode(line)
            for line in (path / each["file"]).read_bytes().splitlines()
        ]
        own = ("id",) if each["model"] == "Person" else ()
        for row in rows:
            for name in (*own, "chief_id", "person_id"):
                if row.get(name) is not None:
                    row[name] = key(row[name])
        Random(3).shuffle(rows)  # noqa: S311  # no secret
        text = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        (path / each["file"]).write_bytes(text)
        each["sha256"] = sha256(text).hexdigest()
    (path / "manifest.json").write_bytes(msgspec.json.encode(manifest))


async def test_rows_refer_to_the_same_rows_whatever_their_keys_were(
    database_url: str, tmp_path: Path
) -> None:
    db = declared(database_url)
    n_people = 2100  # more than are stored at once
    async with db:
        with db.tenant("acme"):
            made = await db["Person"].bulk_create(
                [{"name": str(n)} for n in range(n_people)], return_ids=True
            )
            ids = made["ids"]
            await db["Person"].bulk_update(
                data=[
                    {"id": each, "chief_id": ids[(n * 7) % n_people]}
                    for n, each in enumerate(ids)
                ]
            )
            await db["Note"].bulk_create(
                [{"text": str(n), "person_id": ids[n]} for n in range(0, n_people, 9)]
            )
            for n in (5, 3):
                await db["Badge"].create(person_id=ids[n], kind="day")
                await db["Badge"].update(
                    {"person_id": ids[n], "kind": "day"}, room=100 + n
                )
        await db.tenants.export("acme", tmp_path / "out")
        rewrite(tmp_path / "out", lambda key: (key * 48_271) % 2_147_483_647)
        await db.tenants.import_("again", tmp_path / "out")
        with db.tenant("again"):
            people = (await db["Person"].list(limit=n_people))["records"]
            notes = (await db["Note"].list(limit=n_people))["records"]
            badges = (await db["Badge"].list())["records"]
    names = {each["id"]: int(each["name"]) for each in people}

    assert len(names) == n_people
    assert {names[each["id"]]: names[each["chief_id"]] for each in people} == {
        n: (n * 7) % n_people for n in range(n_people)
    }
    assert {int(each["text"]): names[each["person_id"]] for each in notes} == {
        n: n for n in range(0, n_people, 9)
    }
    assert sorted(
        (names[each["person_id"]], each["room"], each["version"]) for each in badges
    ) == [(3, 103, 2), (5, 105, 2)]
    async with db:
        rewrite(tmp_path / "out", lambda _: 1)
        with pytest.raises(ExportError, match="two rows have the same key"):
            await db.tenants.import_("more", tmp_path / "out")
    await db.aclose()
