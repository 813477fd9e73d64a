"""The command line of ``dataflow schema``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from ..._dataflow import DataFlow
from ...drivers import DatabaseUrl, parse_url
from ...errors import DatabaseUnreachableError, UnknownTableError
from ...schema import Schema, model_source
from ...sql import SQLITE
from .._failure import failing_in_one_line
from .._logging import logging_to_stderr
from ._tables import show

__all__ = ["schema"]

_INTERRUPTED = "interrupted: nothing was changed"

schema = typer.Typer(
    no_args_is_help=True, help="Show the schema of a database, or write models of it."
)

_Url = Annotated[
    str,
    typer.Option(
        envvar="DATABASE_URL", help="Database, as postgresql://… or sqlite:///…."
    ),
]
_Tables = Annotated[
    str | None, typer.Option(help="Names of tables, with commas between; else all.")
]


@schema.command("show")
def show_schema(
    *,
    url: _Url,
    tables: _Tables = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show tables and views: columns, keys, indexes and what binds them."""
    with failing_in_one_line(_INTERRUPTED), _quietly():
        found = _read(url, _names(tables))
        if as_json:
            typer.echo(msgspec.json.encode(found.plain()))
        else:
            show(found, Console())


@schema.command()
def generate(
    *,
    url: _Url,
    tables: _Tables = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; it is replaced. Else print it."
        ),
    ] = None,
) -> None:
    """Write a Python module with a model for each table."""
    with failing_in_one_line(_INTERRUPTED), _quietly():
        source = model_source(_read(url, _names(tables)))
        if output is None:
            typer.echo(source, nl=False)
            return
        try:
            output.write_text(source, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            typer.echo(f"dataflow: cannot write {output}: {reason}", err=True)
            raise typer.Exit(1) from None


def _quietly() -> AbstractContextManager[None]:
    return logging_to_stderr(as_json=False, is_quiet=True)


def _names(given: str | None) -> list[str] | None:
    if given is None:
        return None
    return [name.strip() for name in given.split(",") if name.strip()]


def _read(url: str, names: list[str] | None) -> Schema:
    """Read what is in the database, as far as it was asked for.

    Raises:
        UnknownTableError: There is no table of a name.
        DatabaseUnreachableError: There is no such file; none is made.
    """
    _check_file(parse_url(url))
    db = DataFlow(url, existing_schema_mode=True, pool_size=1)
    try:
        found = db.inspect_schema()
    finally:
        db.close()
    if names is None:
        return found
    known = found.by_name
    for name in names:
        if name not in known:
            raise UnknownTableError(name, tuple(known))
    return msgspec.structs.replace(
        found,
        tables=tuple(each for each in found.tables if each.full_name in names),
        views=tuple(each for each in found.views if each.full_name in names),
    )


def _check_file(url: DatabaseUrl) -> None:
    """Refuse a file that is not there: SQLite would make an empty one."""
    is_file = url.dialect is SQLITE and not url.is_memory
    if is_file and not Path(url.database).exists():
        message = f"there is no file {url.database}: check the path"
        raise DatabaseUnreachableError(message)
