"""The command line of ``dataflow migrate``."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
import msgspec
import typer
from rich.console import Console

from ..._dataflow import DataFlow, Migrations
from ...errors import MigrationConfirmationError, RiskLevelError
from ...schema.migration import Plan, Risk
from .._failure import failing_in_one_line
from .._logging import logging_to_stderr
from ._models import load
from ._report import show_entries, show_plan, show_step
from ._tenants import migrate_tenants, plain_entries, plain_plans, show_plans

__all__ = ["migrate"]

T = TypeVar("T")

_INTERRUPTED = (
    "interrupted: on SQLite nothing was changed, on PostgreSQL the steps that were done "
    "stay; run it again to go on"
)
_DRIFT = 1

migrate = typer.Typer(
    no_args_is_help=True, help="Bring a database and the models of a program together."
)

_Models = Annotated[
    str, typer.Option(help="Where the DataFlow is: module, or module:name.")
]
_Url = Annotated[
    str | None, typer.Option(help="Another database than that of the module.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Drops = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        help="A table to drop, or table.column that is dropped rather than renamed.",
    ),
]
_Tenant = Annotated[
    str | None,
    typer.Option(
        "--tenant", help="Only the tables of this tenant, which has tables of its own."
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _known_risk(name: str) -> str:
    """Return a level of risk by its name, before anything is looked at."""
    try:
        return Risk.named(name).name
    except RiskLevelError as error:
        raise typer.BadParameter(str(error)) from error


@migrate.command("plan")
def plan_it(
    *,
    models: _Models,
    url: _Url = None,
    drops: _Drops = None,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """Show what would be done. Nothing is changed."""
    with _opened(models, url) as db:
        migrations = _of(db, tenant)
        plan = _call(db, partial(migrations.plan, drops=drops or ()))
        plans: dict[str, Plan] = {}
        if tenant is None and db.tenants.are_apart:
            plans = _call(db, partial(db.tenants.migration_plans, drops=drops or ()))
        _show_plans(plan, plans, as_json=as_json)
        if any(each.problems for each in (plan, *plans.values())):
            raise typer.Exit(1)


@migrate.command()
def check(
    *,
    models: _Models,
    url: _Url = None,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """Fail with exit code 1 if the database is not as the models ask."""
    with _opened(models, url) as db:
        plan = _call(db, _of(db, tenant).check)
        plans: dict[str, Plan] = {}
        if tenant is None and db.tenants.are_apart:
            plans = _call(db, db.tenants.migration_checks)
        _show_plans(plan, plans, as_json=as_json)
        if plan or any(plans.values()):
            raise typer.Exit(_DRIFT)


@migrate.command()
def apply(
    *,
    models: _Models,
    url: _Url = None,
    drops: _Drops = None,
    max_risk: Annotated[
        str, typer.Option(help="LOW, MEDIUM, HIGH or CRITICAL.", callback=_known_risk)
    ] = "HIGH",
    has_backup: Annotated[
        bool, typer.Option("--backup", help="Copy first what is changed.")
    ] = False,
    backup_folder: Annotated[
        Path | None,
        typer.Option(help="Copy it into a file in this folder.", file_okay=False),
    ] = None,
    keeps_steps: Annotated[
        bool,
        typer.Option("--no-rollback", help="Keep the steps before one that fails."),
    ] = False,
    tenant: _Tenant = None,
    keeps_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Go on with the next tenant if one fails."),
    ] = False,
    is_agreed: _Yes = False,
    as_json: _Json = False,
) -> None:
    """Show what would be done, ask, and do it; then the same for all tenants.

    Only tenants with tables of their own are looked at one by one.
    """
    console = Console(stderr=as_json)
    with _opened(models, url) as db:
        migrations, drops = _of(db, tenant), drops or []
        plan = _call(db, partial(migrations.plan, drops=drops))
        plans: dict[str, Plan] = {}
        if tenant is None and db.tenants.are_apart:
            plans = _call(db, partial(db.tenants.migration_plans, drops=drops))
        if plan and not as_json:
            show_plan(plan, console)
        if any(plans.values()) and not as_json:
            show_plans(plans, console)
        every = [plan, *plans.values()]
        is_clear = not any(each.problems for each in every)
        if is_clear and any(each.steps for each in every) and not is_agreed:
            _confirm("Apply this migration?", f"apply --models {models}")
        entry = _call(
            db,
            partial(
                migrations.apply,
                drops=drops,
                max_risk_level=max_risk,
                agreed=plan.checksum if plan.steps else None,
                backup=backup_folder or has_backup,
                rollback_on_error=not keeps_steps,
                on_step=partial(show_step, console),
            ),
        )
        entries = (
            _call(
                db,
                partial(
                    migrate_tenants,
                    db,
                    plans,
                    console,
                    drops=drops,
                    max_risk=max_risk,
                    backup=backup_folder or has_backup,
                    rolls_back=not keeps_steps,
                    keeps_going=keeps_going,
                ),
            )
            if plans
            else {}
        )
        if as_json:
            told = None if entry is None else entry.plain()
            _print_json(
                {"shared": told, "tenants": plain_entries(entries)} if plans else told
            )
        elif entry is None and not any(entries.values()):
            show_plan(Plan(dialect=plan.dialect), console)
        elif entry is not None and entry.backup:
            console.print(f"The backup is {entry.backup}.")


@migrate.command()
def status(
    *,
    models: _Models,
    url: _Url = None,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """Show the migrations that were done, how long they took, and what is kept."""
    with _opened(models, url) as db:
        migrations = _of(db, tenant)
        entries = _call(db, migrations.history)
        quarantined = _call(db, migrations.quarantined)
        if as_json:
            done = [entry.plain() for entry in entries]
            _print_json({"migrations": done, "quarantined": [*quarantined]})
        else:
            show_entries(entries, quarantined, Console())


@migrate.command()
def rollback(
    *,
    models: _Models,
    url: _Url = None,
    has_restore: Annotated[
        bool,
        typer.Option("--restore", help="Put back the values of its backup as well."),
    ] = False,
    tenant: _Tenant = None,
    is_agreed: _Yes = False,
    as_json: _Json = False,
) -> None:
    """Undo the last migration."""
    with _opened(models, url) as db:
        migrations = _of(db, tenant)
        _say_what_is_lost(db, migrations, has_restore=has_restore)
        if not is_agreed:
            _confirm("Undo the last migration?", f"rollback --models {models}")
        entry = _call(db, partial(migrations.roll_back, restore=has_restore))
        if as_json:
            _print_json(entry.plain())
        else:
            Console().print(f"Migration {entry.number} is undone.")


@migrate.command()
def purge(
    *,
    models: _Models,
    url: _Url = None,
    tenant: _Tenant = None,
    is_agreed: _Yes = False,
) -> None:
    """Drop for good what was dropped before and is kept."""
    with _opened(models, url) as db:
        migrations = _of(db, tenant)
        kept = _call(db, migrations.quarantined)
        for name in kept:
            typer.echo(name)
        if kept and not is_agreed:
            question = "Drop this for good? Nothing brings it back."
            _confirm(question, f"purge --models {models}")
        _call(db, migrations.purge)


def _of(db: DataFlow, tenant: str | None) -> Migrations:
    """Return the migrations of one tenant, or of what is no tenant's alone."""
    return db.migrations if tenant is None else db.migrations.of_tenant(tenant)


def _say_what_is_lost(
    db: DataFlow, migrations: Migrations, *, has_restore: bool
) -> None:
    history = _call(db, migrations.history)
    done = [each for each in history if each.is_done and each.steps]
    steps = [step for entry in done[-1:] for step in entry.steps if step.is_lossy]
    for step in reversed(steps):
        text = f"undoing this loses what was stored since: {step.description}"
        typer.echo(text, err=True)
    if has_restore:
        typer.echo("restoring the backup loses what was changed since", err=True)


def _confirm(question: str, command: str) -> None:
    """Ask on a terminal, and end the command unless the answer is yes.

    Raises:
        MigrationConfirmationError: There is no terminal.
    """
    if not _is_terminal():
        full = f"dataflow migrate {command} --yes"
        raise MigrationConfirmationError(full)
    typer.confirm(question, abort=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def _opened(models: str, url: str | None) -> Generator[DataFlow]:
    with (
        failing_in_one_line(_INTERRUPTED),
        logging_to_stderr(as_json=False, is_quiet=True),
    ):
        yield load(models, url)


def _call(db: DataFlow, function: Callable[[], Awaitable[T]]) -> T:
    """Call *function* with an engine of its own."""

    async def call() -> T:
        async with db:
            return await function()

    return anyio.run(call)


def _show_plans(plan: Plan, plans: dict[str, Plan], *, as_json: bool) -> None:
    if as_json:
        told = plan.plain()
        _print_json({"shared": told, "tenants": plain_plans(plans)} if plans else told)
        return
    show_plan(plan, Console())
    if plans:
        show_plans(plans, Console())


def _print_json(value: Any) -> None:  # noqa: ANN401  # whatever JSON holds
    typer.echo(msgspec.json.encode(value))
