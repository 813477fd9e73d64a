"""The part of ``dataflow migrate`` that is about tenants with tables of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ..._dataflow import DataFlow
from ...schema.migration import Entry, Plan
from ._report import show_plan

__all__ = ["migrate_tenants", "plain_entries", "plain_plans", "show_plans"]


def show_plans(plans: Mapping[str, Plan], console: Console) -> None:
    """Print what there is to do, once where it is the same for many tenants."""
    alike: dict[str, tuple[Plan, list[str]]] = {}
    for name, plan in plans.items():
        alike.setdefault(plan.checksum if plan else "", (plan, []))[1].append(name)
    for plan, names in alike.values():
        console.print(f"[bold]tenants {escape(', '.join(names))}[/]")
        show_plan(plan, console)


def plain_plans(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Return plans by tenant as plain values."""
    return {name: plan.plain() for name, plan in plans.items()}


def plain_entries(entries: Mapping[str, Entry | None]) -> dict[str, Any]:
    """Return what ledgers say by tenant as plain values."""
    return {
        name: None if entry is None else entry.plain()
        for name, entry in entries.items()
    }


async def migrate_tenants(
    db: DataFlow,
    plans: Mapping[str, Plan],
    console: Console,
    *,
    drops: Collection[str],
    max_risk: str,
    backup: bool | Path,
    rolls_back: bool,
    keeps_going: bool,
) -> dict[str, Entry | None]:
    """Migrate the tenants that have plans, with a bar that says how far it is."""
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("tenants", total=len(plans))

        def told(name: str, n_done: int, total: int) -> None:
            progress.update(task, completed=n_done, total=total, description=name)

        return await db.tenants.migrate(
            *plans,
            drops=drops,
            max_risk_level=max_risk,
            agreed={name: plan.checksum for name, plan in plans.items() if plan.steps},
            backup=backup,
            rollback_on_error=rolls_back,
            keep_going=keeps_going,
            on_tenant=told,
        )
