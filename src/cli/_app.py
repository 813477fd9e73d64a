"""The subcommands, gathered."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from .audit import audit
from .demo import demo
from .migrate import migrate
from .privacy import privacy
from .schema import schema
from .tenant import tenant

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show rows and passwords.
    pretty_exceptions_enable=False,
)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001  # typer calls it so
    if is_asked:
        typer.echo(f"dataflow {version('dataflow-actors')}")
        raise typer.Exit


@app.callback()
def dataflow(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Run database workflows on supervised actors."""


app.command()(demo)
app.add_typer(audit, name="audit")
app.add_typer(migrate, name="migrate")
app.add_typer(privacy, name="privacy")
app.add_typer(schema, name="schema")
app.add_typer(tenant, name="tenant")
