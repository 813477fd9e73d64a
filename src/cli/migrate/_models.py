"""Finding the models that a command is about."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import typer

from ..._dataflow import DataFlow
from ...drivers import parse_url
from ...errors import nearest
from ...sql import POSTGRESQL

__all__ = ["load"]


def load(models: str, url: str | None) -> DataFlow:
    """Return the DataFlow that *models* names; with *url*, its models elsewhere.

    Args:
        models: ``module`` or ``module:name``; without a name, the only one there is.
        url: Another database than the module's, or None.

    Raises:
        typer.BadParameter: There is none.
    """
    module, _, name = models.partition(":")
    found = _found(_imported(module), module, name)
    if url is None:
        return found
    has_walls = found.row_security.is_on and parse_url(url).dialect is POSTGRESQL
    tenancy = found.tenants.kind  # places of tenants are beside that database
    elsewhere = DataFlow(url, pool_size=2, tenancy=tenancy, row_security=has_walls)
    for each in found.list_models():
        elsewhere.model(found.get_model(each))
    return elsewhere


def _imported(module: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        message = f"no module {error.name!r} to import {module!r}"
        raise typer.BadParameter(message, param_hint="--models") from None


def _found(module: ModuleType, named: str, name: str) -> DataFlow:
    there = {
        each: value
        for each, value in vars(module).items()
        if isinstance(value, DataFlow)
    }
    if name in there:
        return there[name]
    if not name and len(set(there.values())) == 1:
        return next(iter(there.values()))
    if name:
        near = nearest(name, tuple(there))
        wanted = f"did you mean {near!r}?" if near else f"there are {[*there]}"
        message = f"{named} has no DataFlow {name!r}: {wanted}"
    elif there:
        message = f"{named} has several: say {named}:{next(iter(there))}"
    else:
        message = f"{named} has no DataFlow: name the module that makes one"
    raise typer.BadParameter(message, param_hint="--models")
