"""Models as they are in one schema, where each tenant has one."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import final

from msgspec.structs import replace

from ._family import Family
from ._model import Model, Relation

__all__ = ["SchemaFamily"]


@final
class SchemaFamily:
    """The models of a family whose tables are in a schema: relations lead within it.

    It follows that family: what joins there, or is declared anew, is here as well. It may
    be used from any thread.

    Args:
        base: The models as they were declared.
        schema: Where the tables are.
    """

    def __init__(self, base: Family, schema: str) -> None:
        self._base = base
        self._schema = schema
        self._lock = Lock()
        self._seen = -1
        self._family = Family(keeps_apart=True)
        self._here: dict[Model, Model] = {}

    @property
    def generation(self) -> int:
        """A number that changes whenever a model joins."""
        return self._current().generation

    def relations(self, model: Model) -> Mapping[str, Relation]:
        """Return the relations of *model* by name, see `Family.relations`."""
        return self._current().relations(model)

    def own(self, model: Model) -> tuple[Relation, ...]:
        """Return the relations that the foreign keys of *model* make."""
        return self._current().own(model)

    def connected(self, model: Model) -> tuple[Model, ...]:
        """Return *model* and all that relations lead to."""
        return self._current().connected(model)

    def model(self, model: Model) -> Model:
        """Return what *model*, as it was declared, is here: the same one each time."""
        self._current()
        found = self._here.get(model)
        if found is None:  # it was declared anew since, and somebody keeps the old one
            with self._lock:
                found = self._made(model)
        return found

    def _current(self) -> Family:
        if self._seen != self._base.generation:
            with self._lock:
                seen = self._base.generation
                if self._seen != seen:
                    models = [m for m in self._base.models.values() if m.is_apart]
                    self._family.follow([self._made(each) for each in models])
                    self._seen = seen
        return self._family

    def _made(self, model: Model) -> Model:
        found = self._here.get(model)
        if found is None:
            found = replace(model, schema=self._schema, family=self)
            self._here[model] = found
        return found
