"""Which rows belong to a person, as far as models tell.

Rules of this file:

1. A row belongs to a person by a foreign key to the person's row, or to a row that
   belongs to it. Where a model has several ways, it says which; there is no guessing.
2. What was archived belongs to the same person as it did before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

import msgspec

from ..errors import PrivacyError, nearest
from ..models import Model, Relation

__all__ = ["Link", "SubjectMap", "children_first", "subject_of"]


class Link(msgspec.Struct, frozen=True, eq=False):
    """A way from rows to the rows that they belong to.

    Attributes:
        source: Whose rows.
        target: What they belong to.
        pairs: Name of a field of *source*, and of the one of *target* it is equal to.
    """

    source: Model
    target: Model
    pairs: tuple[tuple[str, str], ...]


@final
class SubjectMap:
    """The models whose rows belong to persons of one model.

    Args:
        subject: The model whose rows are persons.
        models: All there are.
        archives: Where the old rows of a model go, by its name.

    Attributes:
        subject: That model.
        models: What belongs to it, itself first, each behind all that it belongs to.
        links: How, by the name of the model.
        roots: Names of the models whose rows are the persons themselves.

    Raises:
        PrivacyError: A model has several ways, or names one that is none.
    """

    def __init__(
        self,
        subject: Model,
        models: Iterable[Model],
        archives: Mapping[str, Model],
    ) -> None:
        self.subject = subject
        self._archives = archives
        aged = archives.get(subject.name)
        self.roots = {each.name for each in (subject, aged) if each is not None}
        self._kept = {each.name for each in archives.values()}
        self.links: dict[str, tuple[Link, ...]] = {}
        self._ways: dict[str, tuple[Relation, ...]] = {subject.name: ()}
        self._on_the_way: list[str] = []
        own = [each for each in models if each.name not in self._kept]
        found = [each for each in own if self._belongs(each)]
        self.models: tuple[Model, ...] = tuple(self._ordered(found))

    def origin(self, model: Model) -> Model:
        """Return the model whose old rows are in *model*; itself if it is no archive."""
        for name, archive in self._archives.items():
            if archive.name == model.name:
                return next(each for each in self.models if each.name == name)
        return model

    def _belongs(self, model: Model) -> bool:
        return model.name == self.subject.name or bool(self._ways_of(model))

    def _ways_of(self, model: Model) -> tuple[Relation, ...]:
        """Return the relations by which rows of *model* belong to a person."""
        known = self._ways.get(model.name)
        if known is not None or model.name in self._on_the_way:
            return known or ()
        said = model.privacy.paths
        self._on_the_way.append(model.name)
        try:
            ways = tuple(
                each
                for each in (_own(model) if said is None else _named(model, said))
                if self._belongs(each.target)
            )
        finally:
            self._on_the_way.remove(model.name)
        if said is None and len(ways) > 1:
            raise _ambiguous(model, ways, self.subject)
        if not self._on_the_way:
            self._ways[model.name] = ways
        return ways

    def _ordered(self, found: Sequence[Model]) -> Iterable[Model]:
        left, done = [*found], set[str]()
        while left:
            model = next(
                (
                    each
                    for each in left
                    if all(way.target.name in done for way in self._ways_of(each))
                ),
                left[0],
            )
            left.remove(model)
            done.add(model.name)
            yield from self._linked(model)

    def _linked(self, model: Model) -> Iterable[Model]:
        """Yield a model, and where its old rows go, with their links noted."""
        archive = self._archives.get(model.name)
        links = [_link(model, way) for way in self._ways_of(model)]
        self.links[model.name] = tuple(links)
        yield model
        if archive is None:
            return
        targets = [
            (link, target)
            for link in links
            for target in (link.target, self._archives.get(link.target.name))
            if target is not None
        ]
        self.links[archive.name] = tuple(
            Link(archive, target, link.pairs) for link, target in targets
        )
        yield archive


def subject_of(models: Mapping[str, Model], name: str | None) -> Model:
    """Return the model whose rows are persons.

    Args:
        models: All there are.
        name: Which one is meant; None for the only one.

    Raises:
        PrivacyError: There is none, or several and none was named.
    """
    subjects = {each.name: each for each in models.values() if each.privacy.is_subject}
    if name is not None:
        if name in subjects:
            return subjects[name]
        near = nearest(name, tuple(subjects))
        hint = f"did you mean {near!r}?" if near else "declare it with 'subject': True"
        raise PrivacyError(name, f"its rows are no persons: {hint}")
    if len(subjects) == 1:
        return next(iter(subjects.values()))
    if subjects:
        problem = (
            f"there are several models of persons: say model={next(iter(subjects))!r}"
        )
        raise PrivacyError(", ".join(subjects), problem)
    problem = "no model has persons as rows: declare one with 'subject': True"
    raise PrivacyError("__dataflow__", problem)


def children_first(models: Iterable[Model]) -> list[Model]:
    """Return models so that each comes before those that it refers to.

    Where they refer to each other in a circle, in the order they were given.
    """
    left, ordered = [*models], list[Model]()
    while left:
        model = next(
            (
                each
                for each in left
                if not any(
                    relation.target.name == each.name
                    for other in left
                    if other.name != each.name
                    for relation in other.own_relations
                )
            ),
            left[0],
        )
        left.remove(model)
        ordered.append(model)
    return ordered


def _own(model: Model) -> list[Relation]:
    """Return the relations to other models, as far as they can be resolved."""
    return [each for each in model.own_relations if each.target.name != model.name]


def _named(model: Model, names: Sequence[str]) -> list[Relation]:
    """Return the relations of these names, or of foreign keys of these names.

    Raises:
        PrivacyError: There is none.
    """
    relations = _own(model)
    found: list[Relation] = []
    for name in names:
        meant = [
            each
            for each in relations
            if name == each.name or (name,) == each.foreign_key.fields
        ]
        if not meant:
            known = tuple(each.name for each in relations)
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"it has {', '.join(known)}"
            problem = f"'subject' names no relation {name!r} to another model: {hint}"
            raise PrivacyError(model.name, problem)
        found += meant
    return found


def _ambiguous(model: Model, ways: Sequence[Relation], subject: Model) -> PrivacyError:
    names = [each.name for each in ways]
    problem = (
        f"its rows belong to a {subject.name} in several ways ({', '.join(names)}): "
        f"declare which, as 'subject': {names[0]!r}, a list of them, or False"
    )
    return PrivacyError(model.name, problem)


def _link(model: Model, way: Relation) -> Link:
    tenant = model.tenant_field
    pairs = [(own.name, theirs.name) for own, theirs in way.pairs if own.name != tenant]
    return Link(model, way.target, tuple(pairs))
