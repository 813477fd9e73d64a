"""The command line of tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import anyio
import msgspec
import typer
from rich.console import Console

from ..._dataflow import DataFlow
from ...errors import TenantConfirmationError
from ...tenancy import Tenant
from .._failure import failing_in_one_line
from .._logging import logging_to_stderr
from ..migrate import load
from ._rows_shown import rows_shown

__all__ = ["tenant"]

T = TypeVar("T")

_INTERRUPTED = "interrupted: what was begun stays so; run it again to go on"

tenant = typer.Typer(
    no_args_is_help=True,
    help="Make, suspend, export, import and delete the tenants of a program.",
)

_Models = Annotated[
    str, typer.Option(help="Where the DataFlow is: module, or module:name.")
]
_Name = Annotated[str, typer.Argument(help="Name of the tenant.")]
_Reason = Annotated[str | None, typer.Option(help="Why, for the audit.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@tenant.command("list")
def list_them(
    *,
    models: _Models,
    is_all: Annotated[
        bool, typer.Option("--all", help="Those that were deleted, too.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Show the tenants that are written down."""
    found = _call(models, lambda db: db.tenants.list(deleted=is_all))
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for each in found:
        typer.echo(_line(each))


@tenant.command()
def create(
    name: _Name,
    *,
    models: _Models,
    reason: _Reason = None,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Succeed if there is one.")
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Take a schema or database that has tables already."
        ),
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make a tenant, its place, and the tables in it."""
    made = _call(
        models,
        lambda db: db.tenants.create(
            name, reason=reason, exist_ok=exist_ok, adopt=adopt
        ),
    )
    _show(made, as_json=as_json)


@tenant.command()
def suspend(
    name: _Name,
    *,
    models: _Models,
    reason: Annotated[str, typer.Option(help="Why; told to whoever is refused.")],
    as_json: _Json = False,
) -> None:
    """Let nobody work for a tenant; its rows stay."""
    done = _call(models, lambda db: db.tenants.suspend(name, reason=reason))
    _show(done, as_json=as_json)


@tenant.command()
def resume(
    name: _Name, *, models: _Models, reason: _Reason = None, as_json: _Json = False
) -> None:
    """Let a suspended tenant go on."""
    done = _call(models, lambda db: db.tenants.resume(name, reason=reason))
    _show(done, as_json=as_json)


@tenant.command()
def delete(
    name: _Name,
    *,
    models: _Models,
    reason: _Reason = None,
    is_confirmed: Annotated[
        bool, typer.Option("--yes", "-y", help="That is meant.")
    ] = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Count only; change nothing.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Delete a tenant and all that it has."""
    with failing_in_one_line(_INTERRUPTED):
        if not is_confirmed and not is_dry:
            raise TenantConfirmationError(name)
    gone = _call(
        models,
        lambda db: db.tenants.delete(
            name, confirmed=is_confirmed, dry_run=is_dry, reason=reason
        ),
    )
    if as_json:
        typer.echo(msgspec.json.encode(gone))
        return
    _show_rows(gone.rows)
    typer.echo(f"{gone.tenant} is {'deleted' if gone.is_done else 'left as it is'}")


@tenant.command()
def export(
    name: _Name,
    path: Annotated[Path, typer.Argument(help="The folder to make.")],
    *,
    models: _Models,
    reason: _Reason = None,
    as_json: _Json = False,
) -> None:
    """Write all rows of a tenant into a folder."""
    console = Console(stderr=True)
    with rows_shown(console) as on_rows:
        made = _call(
            models,
            lambda db: db.tenants.export(name, path, reason=reason, on_rows=on_rows),
        )
    if as_json:
        typer.echo(msgspec.json.encode(made))
        return
    _show_rows(made.rows)
    typer.echo(f"{name} is exported to {path}")


@tenant.command("import")
def import_it(
    name: _Name,
    path: Annotated[Path, typer.Argument(help="The folder of the export.")],
    *,
    models: _Models,
    reason: _Reason = None,
    as_json: _Json = False,
) -> None:
    """Make a tenant of an export, or fill one that has no rows."""
    console = Console(stderr=True)
    with rows_shown(console) as on_rows:
        made = _call(
            models,
            lambda db: db.tenants.import_(name, path, reason=reason, on_rows=on_rows),
        )
    _show(made, as_json=as_json)


def _call(models: str, function: Callable[[DataFlow], Awaitable[T]]) -> T:
    """Call *function* with the DataFlow of a module, entered."""

    async def call(db: DataFlow) -> T:
        async with db:
            return await function(db)

    with (
        failing_in_one_line(_INTERRUPTED),
        logging_to_stderr(as_json=False, is_quiet=True),
    ):
        return anyio.run(partial(call, load(models, None)))


def _show(made: Tenant, *, as_json: bool) -> None:
    typer.echo(msgspec.json.encode(made) if as_json else _line(made))


def _show_rows(rows: Mapping[str, int]) -> None:
    for model, count in rows.items():
        typer.echo(f"{model}: {count} rows")


def _line(each: Tenant) -> str:
    why = "" if each.reason is None else f" ({each.reason})"
    return f"{each.name}: {each.state}{why}, {each.place}"
