"""The command line of the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from ..._dataflow import DataFlow
from ...audit import Verification
from .._failure import failing_in_one_line

__all__ = ["audit"]

_INTERRUPTED = "interrupted: nothing was changed"

Url = Annotated[str, typer.Option(help="Database, as postgresql://… or sqlite:///….")]

audit = typer.Typer(no_args_is_help=True, help="Look at the audit of a database.")


@audit.command("verify")
def verify(
    *,
    url: Url,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file that `checkpoint` wrote once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at every record; name the first that is not as it was written.

    The key is that of DATAFLOW_AUDIT_KEY.
    """
    known = None if checkpoint is None else checkpoint.read_text(encoding="utf-8")
    with failing_in_one_line(_INTERRUPTED):
        found = anyio.run(_verify, url, known)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for model, n_leaves in found.heads.items():
        typer.echo(f"{model}: {n_leaves} transactions")
    typer.echo(f"{found.n_events} changes, as they were written")
    if found.n_outside:
        typer.echo(f"{found.n_outside} more did not come by nodes: nobody knows whose")


@audit.command("checkpoint")
def checkpoint(*, url: Url) -> None:
    """Print how far each chain is, signed; keep it somewhere else."""
    with failing_in_one_line(_INTERRUPTED):
        typer.echo(anyio.run(_checkpoint, url))


async def _verify(url: str, known: str | None) -> Verification:
    async with DataFlow(url, existing_schema_mode=True) as db:
        return await db.audit.verify(known)


async def _checkpoint(url: str) -> str:
    async with DataFlow(url, existing_schema_mode=True) as db:
        return await db.audit.checkpoint()
