"""Terms that depend on rows hold inside a tenant, and nowhere beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tenants import Place

from dataflow import DataFlow, field
from dataflow.actors import Handler, Turn
from dataflow.models import Field
from dataflow.sql import Compare, Comparison, Terms


class Hiding:
    """A layer for which rows with a negative ``n`` are not there."""

    def __init__(self) -> None:
        self.field: Field

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        for envelope in turn.taken:
            visible = Compare(self.field, Comparison.GTE, 0)
            envelope.terms = Terms(visible=visible)
        await call_next(turn)


@pytest.fixture
async def db(place: Place) -> AsyncIterator[DataFlow]:
    layer = Hiding()
    db = DataFlow(place.url, interceptors=[layer], **place.options)

    @db.model
    class Thing:
        code: str = field(primary_key=True)
        n: int = 0

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    layer.field = db["Thing"].model.field("n")
    async with db:
        for tenant in ("t1", "t2"):
            await db["Thing"].bulk_create([{"code": "shown", "n": 1}], tenant_id=tenant)
        yield db
    await db.aclose()


async def test_what_is_hidden_in_one_tenant_is_no_other_ones(db: DataFlow) -> None:
    with db.tenant("t1"):
        await db["Thing"].bulk_update(data=[{"code": "shown", "n": 5}])
        await db["Thing"].bulk_upsert([{"code": "shown", "n": 6}, {"code": "new"}])
        await db["Thing"].upsert(where={"code": "shown"}, update={"n": 7})
        await db["Thing"].update("new", n=3)
        deleted = await db["Thing"].bulk_delete(ids=["new", "gone"])
        await db["Thing"].update("shown", n=-1)

        assert deleted["deleted"] == 1
        assert await db["Thing"].count() == 0
    with db.tenant("t2"):
        assert (await db["Thing"].read("shown"))["n"] == 1
        assert (await db["Thing"].delete("shown"))["deleted"] is True
