"""Many runs at once, of tenants in turn, over few connections: nobody meets another."""

from __future__ import annotations

from typing import Any

import anyio
from tenants import Place

from dataflow import DataFlow, field

RUNS = 1_000
TENANTS = tuple(f"t{n}" for n in range(7))


async def test_a_thousand_runs_of_tenants_in_turn_meet_no_foreign_row(
    every_place: Place,
) -> None:
    db = DataFlow(every_place.url, pool_size=4, **every_place.options)
    is_apart = "tenancy" in every_place.options

    @db.model
    class Note:
        code: str = field(primary_key=True)
        n: int = 0

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    foreign: list[Any] = []

    async def run(number: int) -> None:
        tenant = TENANTS[number % len(TENANTS)]
        workflow = db.workflow()
        # Every tenant uses the same keys, each with values of its own.
        code = f"c{number // len(TENANTS)}"
        workflow.add_node("NoteCreateNode", "made", {"code": code, "n": number})
        workflow.add_node("NoteReadNode", "read", {"record_id": code})
        workflow.add_node("NoteListNode", "listed", {"limit": 5, "filter": {}})
        workflow.add_connection("made", "code", "read", "record_id")
        results, _ = await db.run(workflow.build(), tenant=tenant)
        rows = [results["made"], results["read"], *results["listed"]["records"]]
        foreign.extend(
            row
            for row in rows
            if (not is_apart and row["tenant_id"] != tenant)
            or row["n"] % len(TENANTS) != number % 7
        )
        if results["read"]["n"] != number:
            foreign.append(results["read"])

    async with db:
        for tenant in TENANTS if is_apart else ():
            await db.tenants.create(tenant)
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for number in range(RUNS):
                    tasks.start_soon(run, number)
        counts: dict[str, int] = {}
        for tenant in TENANTS:
            with db.tenant(tenant):
                counts[tenant] = await db["Note"].count()
    await db.aclose()

    assert foreign == []
    assert sum(counts.values()) == RUNS
    assert counts == {
        tenant: len(range(n, RUNS, len(TENANTS))) for n, tenant in enumerate(TENANTS)
    }
