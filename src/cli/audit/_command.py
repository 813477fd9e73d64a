"""The command line of the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import anyio
import msgspec
import typer
from rich.console import Console

from ..._dataflow import DataFlow
from ...audit import Verification, Verifications, new_signing_keys
from ...errors import DataFlowError
from .._failure import UNUSABLE, failing_in_one_line
from .._tenants_shown import tenants_shown
from ..migrate import load
from ._files import append, read, write_new

__all__ = ["audit"]

T = TypeVar("T")

_INTERRUPTED = "interrupted: the audit is as it was"

Url = Annotated[
    str | None, typer.Option(help="Database, as postgresql://… or sqlite:///….")
]
Models = Annotated[
    str | None,
    typer.Option(
        help="In place of --url: where the DataFlow is, as module or module:name; all "
        "tenants with tables of their own come behind the database itself."
    ),
]
Tenant = Annotated[str | None, typer.Option(help="This tenant alone; wants --models.")]
After = Annotated[
    str | None,
    typer.Option(
        help="Go on behind this tenant, where it was stopped; wants --models."
    ),
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Go on with the next tenant if one fails.")
]

_WAY_ON = "the tenants up to {0} are done: --after {0} goes on"

audit = typer.Typer(no_args_is_help=True, help="Look at the audit of a database.")


@audit.command("verify")
def verify(
    *,
    url: Url = None,
    models: Models = None,
    tenant: Tenant = None,
    after: After = None,
    keeps_going: KeepGoing = False,
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
        db = _database(url, models, tenant, after)
        if models is None or tenant is not None:
            call = partial(db.audit.verify, known, public_key=key, tenant=tenant)
            found = Verifications(shared=_call(db, call), tenants={})
        else:
            with tenants_shown(Console(stderr=True), way_on=_WAY_ON) as told:
                every = partial(
                    db.audit.verify_all,
                    *(known,),
                    public_key=key,
                    after=after,
                    keep_going=keeps_going,
                    on_tenant=told,
                )
                found = _call(db, every)
    if as_json:
        is_one = found.shared is not None and not found.tenants
        typer.echo(msgspec.json.encode(found.shared if is_one else found))
        return
    if found.shared is not None:
        _show(found.shared)
    for name, each in found.tenants.items():
        typer.echo(f"tenant {name}")
        _show(each)


def _database(
    url: str | None, models: str | None, tenant: str | None, after: str | None
) -> DataFlow:
    """Return what a command is about.

    Raises:
        typer.BadParameter: That is not said, or said twice.
    """
    if (url is None) == (models is None):
        message = "say either --url or --models"
        raise typer.BadParameter(message)
    if None not in {tenant, after}:
        message = "say either --tenant or --after"
        raise typer.BadParameter(message)
    if models is not None:
        return load(models, None)
    if (tenant, after) != (None, None):
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
    after: After = None,
    keeps_going: KeepGoing = False,
    private_key: Annotated[
        Path | None, typer.Option(help="Signs it; `keygen` makes one.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to add it to; else print it."),
    ] = None,
) -> None:
    """Say how far each chain is, signed; keep it somewhere else.

    There is a line for the database itself, and one for each tenant with tables of its
    own; each is kept as soon as it is made.
    """
    key = None if private_key is None else read(private_key)
    keep = typer.echo if output is None else partial(append, output)
    with failing_in_one_line(_INTERRUPTED):
        db = _database(url, models, tenant, after)
        if models is None or tenant is not None:
            call = partial(db.audit.checkpoint, private_key=key, tenant=tenant)
            keep(_call(db, call))
            return
        with tenants_shown(Console(stderr=True), way_on=_WAY_ON) as told:
            every = partial(
                db.audit.checkpoint_all,
                private_key=key,
                after=after,
                keep_going=keeps_going,
                on_line=keep,
                on_tenant=told,
            )
            _call(db, every)


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


def _call(db: DataFlow, function: Callable[[], Awaitable[T]]) -> T:
    """Call *function* with an engine of its own."""

    async def call() -> T:
        async with db:
            return await function()

    return anyio.run(call)


def _opened(url: str | None) -> DataFlow:
    try:
        return DataFlow(url, existing_schema_mode=True)
    except ValueError as error:
        if isinstance(error, DataFlowError):
            raise
        # A key of the environment that is too short.
        typer.echo(f"dataflow: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None
