"""The command line of the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from ..._dataflow import DataFlow
from ...audit import Verification, new_signing_keys
from ...errors import AuditBrokenError, DataFlowError
from .._failure import UNUSABLE, failing_in_one_line
from ..migrate import load
from ._files import append, read, write_new

__all__ = ["audit"]

_INTERRUPTED = "interrupted: nothing was changed"

Url = Annotated[
    str | None, typer.Option(help="Database, as postgresql://… or sqlite:///….")
]
Models = Annotated[
    str | None,
    typer.Option(
        help="In place of --url: where the DataFlow is, as module or module:name; all "
        "tenants with tables of their own are looked at, too."
    ),
]
Tenant = Annotated[
    str | None, typer.Option(help="Look at this tenant alone; wants --models.")
]

audit = typer.Typer(no_args_is_help=True, help="Look at the audit of a database.")


@audit.command("verify")
def verify(
    *,
    url: Url = None,
    models: Models = None,
    tenant: Tenant = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file that `checkpoint` wrote.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="By whose private key that is signed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at every record; name the first that is not as it was written.

    With --url the key is that of DATAFLOW_AUDIT_KEY.
    """
    if public_key is not None and checkpoint is None:
        message = "verifies checkpoints: give their file as --checkpoint"
        raise typer.BadParameter(message, param_hint="--public-key")
    known = None if checkpoint is None else read(checkpoint)
    key = None if public_key is None else read(public_key)
    with failing_in_one_line(_INTERRUPTED):
        db = _database(url, models, tenant)
        found, tenants = anyio.run(_verify, db, tenant, known, key)
    if as_json:
        shown = {"shared": found, "tenants": tenants} if tenants else found
        typer.echo(msgspec.json.encode(shown))
        return
    _show(found)
    for name, each in tenants.items():
        typer.echo(f"tenant {name}")
        _show(each)


def _database(url: str | None, models: str | None, tenant: str | None) -> DataFlow:
    """Return what a command is about.

    Raises:
        typer.BadParameter: That is not said, or said twice.
    """
    if (url is None) == (models is None):
        message = "say either --url or --models"
        raise typer.BadParameter(message)
    if models is not None:
        return load(models, None)
    if tenant is not None:
        message = "a tenant is found by --models, which says where tenants are"
        raise typer.BadParameter(message)
    return _opened(url)


def _show(found: Verification) -> None:
    for model, n_leaves in found.heads.items():
        typer.echo(f"{model}: {n_leaves} transactions")
    typer.echo(f"{found.n_events} changes, as they were written")
    if found.n_outside:
        typer.echo(f"{found.n_outside} more did not come by nodes: nobody knows whose")


@audit.command("checkpoint")
def checkpoint(
    *,
    url: Url = None,
    models: Models = None,
    tenant: Tenant = None,
    private_key: Annotated[
        Path | None, typer.Option(help="Signs it; `keygen` makes one.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to add it to; else print it."),
    ] = None,
) -> None:
    """Say how far each chain is, signed; keep it somewhere else."""
    key = None if private_key is None else read(private_key)
    with failing_in_one_line(_INTERRUPTED):
        db = _database(url, models, tenant)
        line = anyio.run(_checkpoint, db, tenant, key)
    if output is None:
        typer.echo(line)
    else:
        append(output, line)


@audit.command("keygen")
def keygen(
    file: Annotated[Path, typer.Argument(help="File for the private key.")],
) -> None:
    """Make a key that signs checkpoints, and beside it, as .pub, one that verifies.

    Keep the private key where the database cannot be written from.
    """
    public = file.with_name(f"{file.name}.pub")
    with failing_in_one_line(_INTERRUPTED):
        keys = new_signing_keys()
    write_new({file: keys[0], public: keys[1]})
    typer.echo(f"{file} signs, {public} verifies")


async def _verify(
    db: DataFlow, tenant: str | None, known: str | None, key: str | None
) -> tuple[Verification, dict[str, Verification]]:
    async with db:
        found = await db.audit.verify(known, public_key=key, tenant=tenant)
        names = () if tenant is not None else await db.audit.tenants()
        tenants: dict[str, Verification] = {}
        for name in names:
            try:
                tenants[name] = await db.audit.verify(tenant=name)
            except AuditBrokenError:
                typer.echo(f"tenant {name}", err=True)
                raise
        return found, tenants


async def _checkpoint(db: DataFlow, tenant: str | None, key: str | None) -> str:
    async with db:
        return await db.audit.checkpoint(private_key=key, tenant=tenant)


def _opened(url: str | None) -> DataFlow:
    try:
        return DataFlow(url, existing_schema_mode=True)
    except ValueError as error:
        if isinstance(error, DataFlowError):
            raise
        # A key of the environment that is too short.
        typer.echo(f"dataflow: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None
