"""Relations of models whose tables others made: their foreign keys, with names.

Rules of this file:

1. A foreign key is taken as it is found, or left out and said. It is left out where a
   model could not say it, or where the rows it refers to are of no model.
2. A relation never hides a field or another relation: names are tried until one is free.
   What rows refer to is named first, in every model, then the way back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Final

import msgspec
from msgspec.structs import replace

from ...errors import ModelError
from ...models import Action, Family, ForeignKey, Model, Relation, snake_case
from .._shape import ForeignKey as TableKey
from .._shape import TableShape, View

__all__ = ["Related", "relate"]

_ACTIONS: Final[Mapping[str, Action]] = {
    "NO ACTION": Action.NO_ACTION,
    "RESTRICT": Action.RESTRICT,
    "CASCADE": Action.CASCADE,
    "SET NULL": Action.SET_NULL,
}
_ID: Final = re.compile(r"(?i)_?id$")
_TRIED: Final = "\0tried"  # no column has such a name


class Related(msgspec.Struct, frozen=True):
    """Models with their foreign keys.

    Attributes:
        models: By their names, in the order they came.
        left_out: Why foreign keys are none of theirs: by the names of the models, then
            by what refers to what, such as ``user_id -> users (id)``.
    """

    models: dict[str, Model]
    left_out: dict[str, dict[str, str]]


class _Found(msgspec.Struct, frozen=True, eq=False):
    """A foreign key that a model may have, and the relation it makes."""

    holder: str
    target: str
    key: ForeignKey
    is_many: bool


def relate(
    found: Sequence[tuple[TableShape | View, Model]], others: Iterable[Model] = ()
) -> Related:
    """Return the models of tables with the foreign keys of these.

    Args:
        found: Tables, and models of them that have no foreign keys yet.
        others: Models that are there besides, and may be referred to.
    """
    return _Relater(found, others).related()


class _Relater:
    def __init__(
        self, found: Sequence[tuple[TableShape | View, Model]], others: Iterable[Model]
    ) -> None:
        self._found = found
        self._models = {
            model.name: replace(model, foreign_keys=()) for _, model in found
        }
        kept = [each for each in others if each.name not in self._models]
        self._by_table = {each.table: each for each in (*kept, *self._models.values())}
        self._taken = {each.name: {*each.names} for each in self._by_table.values()}
        for each in kept:
            self._taken[each.name].update(self._names_of(each))
        self._left_out: dict[str, dict[str, str]] = {}

    def _names_of(self, model: Model) -> Iterator[str]:
        """Yield the relations of a model that stay, whatever is related here."""
        try:
            relations = model.relations
        except ModelError:  # one that nobody has used yet
            return
        for name, each in relations.items():
            if _holder(each) not in self._models:
                yield name

    def related(self) -> Related:
        kept: list[_Found] = []
        for table, model in self._found:
            if isinstance(table, TableShape):
                kept += self._of_table(table, self._models[model.name])
        named: dict[str, list[ForeignKey]] = {name: [] for name in self._models}
        for each in kept:
            named[each.holder].append(self._with_way_back(each))
        models = {
            name: replace(model, foreign_keys=tuple(named[name]))
            for name, model in self._models.items()
        }
        return Related(models, self._left_out)

    def _of_table(self, table: TableShape, model: Model) -> Iterator[_Found]:
        seen: set[tuple[str, ...]] = set()
        for key in table.foreign_keys:
            found = self._read(model, key)
            if isinstance(found, _Found) and key.columns in seen:
                found = "the same columns refer to another table as well"
            if isinstance(found, _Found):
                seen.add(key.columns)
                yield self._with_name(found)
            else:
                self._left_out.setdefault(model.name, {})[_said(key)] = found

    # -- what is taken -----------------------------------------------------------

    def _read(self, model: Model, key: TableKey) -> _Found | str:
        """Return a foreign key as models say it, or why none can."""
        target = self._by_table.get(key.target)
        if key.target_schema is not None:
            return "a plain name does not find it: put its schema into search_path"
        if target is None:
            return f"{key.target} has no model: register both tables together"
        problem = _unsaid(model, key)
        if problem is not None:
            return problem
        tried = ForeignKey(
            fields=key.columns,
            target=target.name,
            to=() if key.target_columns == target.key else key.target_columns,
            on_delete=_ACTIONS[key.on_delete],
            on_update=_ACTIONS[key.on_update],
            relation=_TRIED,
            backref=_TRIED[::-1],
        )
        try:
            is_many = _is_many(model, target, tried)
        except ModelError as error:
            return error.problem
        return _Found(model.name, target.name, tried, is_many)

    # -- names --------------------------------------------------------------------

    def _with_name(self, found: _Found) -> _Found:
        names = _own_names(found.key, self._named(found.target))
        name = self._free(found.holder, names)
        return replace(found, key=replace(found.key, relation=name))

    def _with_way_back(self, found: _Found) -> ForeignKey:
        holder = self._models[found.holder]
        name = holder.table if found.is_many else snake_case(holder.name)
        names = (name, f"{name}_by_{'_'.join(found.key.fields)}")
        return replace(found.key, backref=self._free(found.target, names))

    def _named(self, name: str) -> Model:
        models = self._by_table.values()
        return next(each for each in models if each.name == name)

    def _free(self, model: str, names: Iterable[str]) -> str:
        """Return the first of *names* that is free in a model, or one with a number."""
        taken, usable = self._taken[model], [_usable(name) for name in names]
        numbered = (f"{usable[-1]}_{number}" for number in count(2))
        name = next(each for each in chain(usable, numbered) if each not in taken)
        taken.add(name)
        return name


def _own_names(key: ForeignKey, target: Model) -> Iterator[str]:
    """Yield names for what rows refer to, the best one first."""
    said, single = key.fields[0], snake_case(target.name)
    bare = _ID.sub("", said) if len(key.fields) == 1 else single
    yield bare or single
    to = (key.to or target.key)[0]
    yield said.removesuffix(f"_{to}") or single
    yield single
    yield f"{single}_by_{'_'.join(key.fields)}"


def _usable(name: str) -> str:
    """Return *name* as filters and paths can say it."""
    return name.replace(".", "_").lstrip("$_") or "rows"


# -- facts ------------------------------------------------------------------------


def _holder(relation: Relation) -> str:
    """Return the name of the model whose foreign key makes a relation."""
    return (relation.source if relation.is_own else relation.target).name


def _unsaid(model: Model, key: TableKey) -> str | None:
    """Return why no model can say of its own fields what a foreign key says."""
    for name in key.columns:
        if not model.has_field(name):
            return f"{name} is left out"
        if not model.field(name).is_nullable and "SET NULL" in _changes(key):
            return f"it sets {name} to NULL, which it never is"
    if "SET DEFAULT" in _changes(key):
        return "SET DEFAULT is nothing that a model can say: use filters of its fields"
    return None


def _changes(key: TableKey) -> tuple[str, str]:
    return key.on_delete, key.on_update


def _is_many(model: Model, target: Model, key: ForeignKey) -> bool:
    """Return whether several rows may refer to one.

    Raises:
        ModelError: The foreign key does not fit.
    """
    family = Family()
    family.add(replace(target, foreign_keys=()))
    family.add(replace(model, foreign_keys=(key,)))
    relations = family.relations(family.models[target.name])
    back = key.backref
    assert back is not None, "it is tried under a name"  # noqa: S101
    return relations[back].is_many


def _said(key: TableKey) -> str:
    target = key.target
    if key.target_schema is not None:
        target = f"{key.target_schema}.{target}"
    return f"{', '.join(key.columns)} -> {target} ({', '.join(key.target_columns)})"
