"""Models that may refer to each other, and the relations this makes.

Rules of this file: a foreign key names its target, which may be declared later, or
anew; it is looked up when somebody first asks. What cannot be resolved is a
`ModelError` that names the foreign key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import final

from ..errors import ModelError, nearest
from ._field import Field
from ._foreign_key import Action, ForeignKey
from ._model import Model, Relation
from ._snake_case import snake_case
from .types import Kind

__all__ = ["Family"]

_ID = "_id"


@final
class Family:
    """The models of one database, by name.

    Args:
        keeps_apart: Whether models with tenants have a table for each of them.

    Attributes:
        generation: A number that grows whenever a model joins.
    """

    def __init__(self, *, keeps_apart: bool = False) -> None:
        self.generation = 0
        self.keeps_apart = keeps_apart
        self._models: dict[str, Model] = {}
        self._relations: dict[Model, Mapping[str, Relation]] = {}

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, in the order they joined."""
        return MappingProxyType(self._models)

    def add(self, model: Model) -> None:
        """Let a model join; one of the same name is replaced.

        Raises:
            ModelError: One of its foreign keys does not fit the model it refers to,
                as far as that has joined, or makes a relation whose name is taken;
                then it stays outside.
        """
        models = {**self._models, model.name: model}
        targets = {
            models[each.target]: None
            for each in model.foreign_keys
            if each.target in models
        }
        for each in {model: None} | targets:
            _named(_relations(each, models, is_strict=False))
        self._models = models
        self._relations = {}
        self.generation += 1

    def follow(self, models: Iterable[Model]) -> None:
        """Have these models and no others; another family looked at them already."""
        self._models = {each.name: each for each in models}
        self._relations = {}
        self.generation += 1

    def relations(self, model: Model) -> Mapping[str, Relation]:
        """Return the relations of *model* by name.

        Raises:
            ModelError: A foreign key cannot be resolved, or two relations or a field
                have the same name; says how to name it.
        """
        known = self._relations  # `add` replaces it, maybe in another thread
        found = known.get(model)
        if found is None:
            relations = _named(_relations(model, self._models, is_strict=True))
            found = known[model] = MappingProxyType(relations)
        return found

    def own(self, model: Model) -> tuple[Relation, ...]:
        """Return the relations that the foreign keys of *model* make.

        Raises:
            ModelError: One of them cannot be resolved.
        """
        return tuple(_own(model, self._models, is_strict=True))

    def connected(self, model: Model) -> tuple[Model, ...]:
        """Return *model*, what it refers to, what refers to these, and so on.

        Models that refer to it are left out while they refer to others that have not
        joined.

        Raises:
            ModelError: One of its foreign keys, or of a model that it refers to,
                cannot be resolved.
        """
        found = self._needed(model)
        for each in (waiting := list(found)):
            for other in self._models.values():
                names = {foreign_key.target for foreign_key in other.foreign_keys}
                if each.name not in names or other in found:
                    continue
                try:
                    needed = self._needed(other)
                except ModelError:
                    continue
                waiting += [new for new in needed if new not in found]
                found |= needed
        return tuple(found)

    def _needed(self, model: Model) -> dict[Model, None]:
        """Return *model* and what it refers to, however far."""
        found = {model: None}
        for each in (waiting := [model]):
            targets = [relation.target for relation in self.own(each)]
            new = dict.fromkeys(target for target in targets if target not in found)
            waiting += new
            found |= new
        return found


Models = Mapping[str, Model]


def _named(relations: Iterable[Relation]) -> dict[str, Relation]:
    named: dict[str, Relation] = {}
    for relation in relations:
        if relation.name in named or relation.source.has_field(relation.name):
            raise _taken(relation)
        named[relation.name] = relation
    return named


def _relations(model: Model, models: Models, *, is_strict: bool) -> Iterator[Relation]:
    """Yield what foreign keys make of *model*, its own first.

    Args:
        model: Whose relations.
        models: Where to look models up.
        is_strict: Whether a foreign key to a model that is not there is an error.
    """
    yield from _own(model, models, is_strict=is_strict)
    for other in (
        model,
        *(each for each in models.values() if each.name != model.name),
    ):
        for foreign_key in other.foreign_keys:
            # Rows of tenants are not reached from those that belong to all of them.
            is_inside = other.tenant_field is None or model.tenant_field is not None
            if foreign_key.target == model.name and is_inside:
                yield _backward(other, model, foreign_key)


def _own(model: Model, models: Models, *, is_strict: bool) -> Iterator[Relation]:
    for foreign_key in model.foreign_keys:
        is_there = foreign_key.target in models or foreign_key.target == model.name
        if is_strict or is_there:
            yield _forward(model, models, foreign_key)


def _forward(model: Model, models: Models, foreign_key: ForeignKey) -> Relation:
    name = foreign_key.target
    target = model if name == model.name else models.get(name)
    if target is None:
        near = nearest(name, tuple(models))
        hint = f"did you mean {near!r}?" if near else "declare it"
        problem = f"there is no model {name!r} to refer to: {hint}"
        raise ModelError(model.name, foreign_key.field, problem)
    return Relation(
        name=_own_name(model, target, foreign_key),
        source=model,
        target=target,
        pairs=_pairs(model, target, foreign_key),
        is_many=False,
        is_own=True,
        foreign_key=foreign_key,
    )


def _backward(model: Model, target: Model, foreign_key: ForeignKey) -> Relation:
    pairs = _pairs(model, target, foreign_key)
    is_many = not _is_unique(model, foreign_key.fields)
    default = model.table if is_many else snake_case(model.name)
    return Relation(
        name=foreign_key.backref or default,
        source=target,
        target=model,
        pairs=tuple((theirs, own) for own, theirs in pairs),
        is_many=is_many,
        is_own=False,
        foreign_key=foreign_key,
    )


def _is_unique(model: Model, fields: tuple[str, ...]) -> bool:
    return any({*group} <= {*fields} for group in (model.key, *model.uniques))


# -- names ------------------------------------------------------------------------


def _own_name(model: Model, target: Model, foreign_key: ForeignKey) -> str:
    """Name the row that a foreign key refers to: ``customer_id``, ``customer``."""
    if foreign_key.relation is not None:
        return foreign_key.relation
    if foreign_key.field is None:
        return snake_case(target.name)
    field = foreign_key.field
    for suffix in (_ID, f"_{(foreign_key.to or target.key)[0]}"):
        if field.endswith(suffix) and field != suffix:
            return field.removesuffix(suffix)
    problem = (
        f"its name does not tell what the {target.name} is called: name the field "
        f"{field}_id, or the relation with relation="
    )
    raise ModelError(model.name, field, problem)


def _taken(relation: Relation) -> ModelError:
    source, target, name = relation.source, relation.target, relation.name
    what = "a field" if source.has_field(name) else "another relation"
    word = "relation" if relation.is_own else "backref"
    problem = (
        f"{source.name} would have {name!r} as its relation to {target.name}, and has "
        f"{what} of this name: name it with {word}="
    )
    holder = source if relation.is_own else target
    return ModelError(holder.name, relation.foreign_key.field, problem)


# -- fields -----------------------------------------------------------------------


def _pairs(
    model: Model, target: Model, foreign_key: ForeignKey
) -> tuple[tuple[Field, Field], ...]:
    """Return each field of the foreign key with the one it refers to.

    Raises:
        ModelError: They are not as many, not stored alike, or no key.
    """
    to = foreign_key.to or target.key
    for name in to:
        if not target.has_field(name):
            near = nearest(name, target.names)
            hint = f"did you mean {near!r}?" if near else f"declare {name!r} there"
            problem = f"{target.name} has no field {name!r} to refer to: {hint}"
            raise ModelError(model.name, foreign_key.field, problem)
    if len(to) != len(foreign_key.fields):
        problem = (
            f"{_listed(foreign_key.fields)} cannot refer to {_listed(to)} of "
            f"{target.name}: name as many fields on both sides"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    if not any({*to} == {*group} for group in (target.key, *target.uniques)):
        problem = (
            f"{_listed(to)} of {target.name} may be the same in several rows: refer "
            f"to its key ({_listed(target.key)}), or declare it unique there"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    pairs = tuple(
        (model.field(own), target.field(theirs))
        for own, theirs in zip(foreign_key.fields, to, strict=True)
    )
    for own, theirs in pairs:
        if _stored(own) != _stored(theirs):
            problem = (
                f"it is {own.type.describe()}, and {target.name}.{theirs.name} is "
                f"{theirs.type.describe()}: give both the same type"
            )
            raise ModelError(model.name, own.name, problem)
    return (*pairs, *_tenants(model, target, foreign_key, to))


def _tenants(
    model: Model, target: Model, foreign_key: ForeignKey, to: tuple[str, ...]
) -> Iterator[tuple[Field, Field]]:
    """Yield the tenants of both sides, where both have one: it is the same.

    Raises:
        ModelError: Rows of one tenant would be referred to from elsewhere, a row would
            lose its tenant, or what is referred to is not unique for good.
    """
    if model.is_apart != target.is_apart:
        inner, outer = (model, target) if model.is_apart else (target, model)
        problem = (
            f"{inner.name} has a table for each tenant, and {outer.name} belongs to all "
            "of them: declare both with multi_tenant=True, or none"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    if target.deleted_field is not None and {*to} != {*target.key}:
        problem = (
            f"{target.name} keeps deleted rows, so {_listed(to)} may come twice: refer "
            f"to its key ({_listed(target.key)})"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    if target.tenant_field is None:
        return
    if model.tenant_field is None:
        problem = (
            f"{target.name} has tenants, and {model.name} belongs to all of them: "
            "declare it with multi_tenant=True too"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    if Action.SET_NULL in (foreign_key.on_delete, foreign_key.on_update):
        problem = (
            "set_null would take the tenant from the row as well: use no_action, "
            "restrict or cascade"
        )
        raise ModelError(model.name, foreign_key.field, problem)
    yield model.field(model.tenant_field), target.field(target.tenant_field)


def _stored(field: Field) -> tuple[object, ...]:
    """Say as what a field is stored: values of others are never equal to it."""
    is_decimal = field.type.kind is Kind.DECIMAL
    return field.type.stored_kind, field.type.digits if is_decimal else None


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
