"""The command line of ``dataflow privacy``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import anyio
import msgspec
import typer
from rich.console import Console

from ..._dataflow import DataFlow
from ...models import MismatchError
from ...privacy import SubjectExport, subject_of
from .._failure import failing_in_one_line
from .._logging import logging_to_stderr
from .._tenants_shown import tenants_shown
from ..migrate._models import load
from ._report import show_erasure, show_retention

__all__ = ["privacy"]

T = TypeVar("T")

_INTERRUPTED = "interrupted: what was committed stays, and nothing else was done"

privacy = typer.Typer(
    no_args_is_help=True, help="Export and erase persons, and apply retention."
)

_Models = Annotated[
    str, typer.Option(help="Where the DataFlow is: module, or module:name.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it, not only show it.")]
_Key = Annotated[
    str, typer.Argument(help="Key of the person; JSON where it has several fields.")
]
_Of = Annotated[
    str | None, typer.Option("--of", help="Model of the person, if there are several.")
]
_Principal = Annotated[str | None, typer.Option(help="Who asks, for the rules.")]
_Tenant = Annotated[str | None, typer.Option(help="For which tenant.")]
_Context = Annotated[
    list[str] | None, typer.Option(help="What else rules go by, as name=value.")
]


@privacy.command()
def export(
    key: _Key,
    *,
    models: _Models,
    of: _Of = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; else print it."),
    ] = None,
    as_lines: Annotated[
        bool, typer.Option("--lines", help="A line of JSON for each row.")
    ] = False,
    principal: _Principal = None,
    tenant: _Tenant = None,
    context: _Context = None,
) -> None:
    """Write everything that is held of a person, as JSON with a manifest."""
    with _opened(models, principal, tenant, context) as db:
        call = partial(db.privacy.export_subject, _key(db, of, key), model=of)
        found = _call(db, call)
        pieces = [*found.jsonl()] if as_lines else [found.json(), b"\n"]
        if output is None:
            typer.echo(b"".join(pieces), nl=False)
            return
        _write(output, pieces)
        typer.echo(_summary(found, output), err=True)


@privacy.command()
def erase(
    key: _Key,
    *,
    models: _Models,
    of: _Of = None,
    mode: Annotated[str, typer.Option(help="delete or anonymise.")] = "delete",
    is_agreed: _Yes = False,
    as_json: _Json = False,
    principal: _Principal = None,
    tenant: _Tenant = None,
    context: _Context = None,
) -> None:
    """Show what erasing a person would do; with --yes, do it."""
    with _opened(models, principal, tenant, context) as db:
        whose = _key(db, of, key)
        call = partial(
            db.privacy.erase_subject, whose, mode=mode, dry_run=not is_agreed, model=of
        )
        try:
            erasure = _call(db, call)
        except ValueError as error:
            if mode in {"delete", "anonymise"}:
                raise
            raise typer.BadParameter(str(error), param_hint="--mode") from None
        if as_json:
            typer.echo(msgspec.json.encode(erasure.plain()))
        else:
            show_erasure(erasure, Console())


@privacy.command()
def retention(
    *,
    models: _Models,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A model; else all.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows in one transaction.")
    ] = 1000,
    is_agreed: _Yes = False,
    as_json: _Json = False,
    principal: _Principal = None,
    tenant: _Tenant = None,
    context: _Context = None,
) -> None:
    """Show which rows are older than they are kept; with --yes, deal with them."""
    errors = Console(stderr=True)
    with _opened(models, principal, tenant, context) as db:
        waiting = errors.status("looking") if is_agreed else nullcontext()
        with waiting as status:

            def told(model: str, done: int) -> None:
                if status is not None:
                    status.update(f"{model}: {done:,} rows")

            call = partial(
                db.privacy.apply_retention,
                dry_run=not is_agreed,
                models=only or (),
                batch_size=batch_size,
                on_batch=told,
            )
            steps = _call(db, call)
        if as_json:
            typer.echo(msgspec.json.encode([step.plain() for step in steps]))
        else:
            show_retention(steps, Console())


@privacy.command("rotate-keys")
def rotate_keys(
    *,
    models: _Models,
    tenant: Annotated[
        str | None,
        typer.Option(help="This tenant alone; else all with tables of their own, too."),
    ] = None,
    keeps_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Go on with the next tenant if one fails."),
    ] = False,
) -> None:
    """Wrap the keys of all persons by the first of the privacy keys.

    Old ones are needed until it is through. What was interrupted goes on.
    """
    with (
        _opened(models, None, None, None) as db,
        tenants_shown(Console(stderr=True)) as told,
    ):
        rotate = partial(
            db.privacy.rotate_keys,
            tenant=tenant,
            keep_going=keeps_going,
            on_tenant=told,
        )
        n_keys = _call(db, rotate)
    typer.echo(f"{n_keys:,} keys were wrapped anew")


def _key(db: DataFlow, of: str | None, text: str) -> object:
    """Return the key that *text* tells, as its field has it.

    Raises:
        typer.BadParameter: It is none.
    """
    declared = {name: db[name].model for name in db.list_models()}
    model = subject_of(declared, of)
    name, *others = model.key
    try:
        if others:
            return msgspec.json.decode(text, type=dict[str, object])
        wanted = model.field(name).type
        given = msgspec.convert(text, wanted.python_type, strict=False)
        return wanted.check(given)
    except (MismatchError, msgspec.MsgspecError):
        # Never the text itself: a key may be personal.
        names = ", ".join(
            f"{name}: {model.field(name).describe()}" for name in model.key
        )
        message = f"a key of {model.name} is {names}"
        raise typer.BadParameter(message, param_hint="KEY") from None


def _context(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            message = "what rules go by is given as name=value"
            raise typer.BadParameter(message, param_hint="--context")
        found[name] = value
    return found


def _write(output: Path, pieces: Sequence[bytes]) -> None:
    """Write a file that only its owner may read."""
    try:
        output.touch(mode=0o600)
        output.write_bytes(b"".join(pieces))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        typer.echo(f"dataflow: cannot write {output}: {reason}", err=True)
        raise typer.Exit(1) from None


def _summary(found: SubjectExport, output: Path) -> str:
    counts = ", ".join(
        f"{each['rows']} of {each['model']}" for each in found.manifest["models"]
    )
    return f"{output}: {found.manifest['rows']} rows ({counts})"


@contextmanager
def _opened(
    models: str,
    principal: str | None,
    tenant: str | None,
    context: Sequence[str] | None,
) -> Generator[DataFlow]:
    around = _context(context or ())
    with (
        failing_in_one_line(_INTERRUPTED),
        logging_to_stderr(as_json=False, is_quiet=True),
    ):
        db = load(models, None)
        with db.acting(principal, tenant=tenant, **around):
            yield db


def _call(db: DataFlow, function: Callable[[], Awaitable[T]]) -> T:
    """Call *function* with an engine of its own."""

    async def call() -> T:
        async with db:
            return await function()

    return anyio.run(call)
