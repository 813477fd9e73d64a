"""The models of a database as its processes declared them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, final

from ...drivers import Driver
from ...errors import DataFlowError, RegistryOffError
from ...models import Model
from ...nodes import Catalogue, ModelNode
from ...telemetry import get_log
from .._hosting import Hosting
from ._discovery import generated

if TYPE_CHECKING:
    from ...schema import Drift, Entry

__all__ = ["Registry"]

_log = get_log("dataflow")

_Add = Callable[[Model], "Sequence[ModelNode[Any]]"]


@final
class Registry:
    """The registry of models in one database; ``db.registry`` gives it.

    It is a table, ``dataflow_models``, which is made when models are first registered.
    A content of a model is one version there, whoever registers it and how often.

    Args:
        hosting: Where calls about the database run.
        catalogue: The models that are declared here.
        add: Takes in a model.
        off: Why nothing may be written, or None.
    """

    def __init__(
        self, hosting: Hosting, catalogue: Catalogue, add: _Add, off: str | None
    ) -> None:
        self._hosting = hosting
        self._catalogue = catalogue
        self._add = add
        self._off = off
        self._rebuilt: set[Model] = set()

    @property
    def is_on(self) -> bool:
        """Whether models may be registered."""
        return self._off is None

    async def register(self) -> dict[str, Any]:
        """Register the models declared here; see `DataFlow.register_models`."""
        if self._off is not None:
            raise RegistryOffError(self._off)
        models = self._declared()
        made = await self._hosting.with_driver(partial(_register, models))
        return {
            "registered_models": [*made],
            "unchanged_models": [each.name for each in models if each.name not in made],
            "versions": {name: entry.version for name, entry in made.items()},
        }

    async def entries(self) -> list[Entry]:
        """Return the current version of every model, by name.

        Raises:
            DriverError: The database could not be read.
        """
        return await self._hosting.with_driver(_entries)

    async def history(self, model: str) -> list[Entry]:
        """Return every version of a model, the first one first.

        Raises:
            DriverError: The database could not be read.
        """
        return await self._hosting.with_driver(partial(_history, model))

    async def drift(self) -> list[Drift]:
        """Return what differs between the models here and the registry, by name.

        Each difference is in the log too, as ``model_drifted``. Nothing is written.

        Raises:
            DriverError: The database could not be read.
        """
        return await self._hosting.with_driver(partial(_drift, self._declared()))

    async def reconstruct(self) -> dict[str, Any]:
        """Make models of the registry; see `reconstruct_models_from_registry`."""
        return self._reconstruct(await self._hosting.with_driver(_entries))

    def reconstruct_sync(self) -> dict[str, Any]:
        """Do the same from synchronous code."""
        return self._reconstruct(self._hosting.with_driver_sync(_entries))

    def _declared(self) -> list[Model]:
        """Return the models that were declared here, and not made of other things."""
        return [
            model
            for model in self._catalogue.models.values()
            if not model.is_foreign and model not in self._rebuilt
        ]

    def _reconstruct(self, found: Sequence[Entry]) -> dict[str, Any]:
        from ...schema import rebuild  # noqa: PLC0415  # not at start

        nodes: dict[str, dict[str, str]] = {}
        errors: list[str] = []
        for entry in found:
            if entry.model in self._catalogue.models:
                self._compare(entry)
                continue
            try:
                model = rebuild(entry.definition)
            except DataFlowError as error:
                errors.append(str(error))
                continue
            made = self._add(model)
            self._rebuilt.update(each.model for each in made)
            nodes[model.name] = generated(made)
        return {
            "reconstructed_models": [*nodes],
            "generated_nodes": nodes,
            "errors": errors,
            "total_registry_models": len(found),
            "success_count": len(nodes),
            "error_count": len(errors),
        }

    def _compare(self, entry: Entry) -> None:
        """Report a model that is declared here as something else."""
        from ...schema import checksum, define  # noqa: PLC0415  # not at start

        model = self._catalogue.models[entry.model]
        if model in self._rebuilt or model.is_foreign:
            return
        declared = checksum(define(model))
        if declared != entry.checksum:
            _log.warning(
                "model_drifted",
                model=entry.model,
                kind="changed",
                declared=declared,
                registered=entry.checksum,
                version=entry.version,
            )


def _register(models: Sequence[Model], driver: Driver) -> Awaitable[dict[str, Entry]]:
    from ...schema import register  # noqa: PLC0415  # not at start

    return register(driver, models)


def _entries(driver: Driver) -> Awaitable[list[Entry]]:
    from ...schema import entries  # noqa: PLC0415  # not at start

    return entries(driver)


def _history(model: str, driver: Driver) -> Awaitable[list[Entry]]:
    from ...schema import entries  # noqa: PLC0415  # not at start

    return entries(driver, model)


def _drift(models: Sequence[Model], driver: Driver) -> Awaitable[list[Drift]]:
    from ...schema import drift  # noqa: PLC0415  # not at start

    return drift(driver, models)
