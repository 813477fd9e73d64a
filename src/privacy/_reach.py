"""Finding the rows of a person, as one sender may see them.

Rules of this file:

1. Rows are found by list nodes, deleted ones too. Where rules hide rows, or mask a field
   that is needed, nothing is found at all: half an answer would pass for a whole one.
2. Where something is to be done with them, rows are locked from the person downwards,
   so that nobody adds one meanwhile: a foreign key locks what it refers to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast, final

from ..errors import PartialViewError, SubjectNotFoundError
from ..models import Model
from ..nodes import Lease
from ..sql import ALL, POSTGRESQL, Statement, parse
from ._kinds import Nodes
from ._map import SubjectMap

__all__ = ["Found", "Reach", "Row", "chunks", "key_of", "keys_filter"]

_PAGE: Final = 1000
"""Rows in a page."""

_CHUNK: Final = 500
"""Values that are asked for at once."""

Row = dict[str, Any]

Found = Mapping[str, Sequence[Row]]
"""Rows by the name of their model; a model without any has an empty list."""


@final
class Reach:
    """Finds rows in one transaction.

    Args:
        lease: The transaction.
        nodes: Finds the nodes of models.
        locks: Whether what is found is locked until its end.
    """

    def __init__(self, lease: Lease, nodes: Nodes, *, locks: bool = False) -> None:
        self._lease = lease
        self._nodes = nodes
        self._locks = locks

    async def rows_of(
        self,
        map_: SubjectMap,
        key: Mapping[str, Any],
        *,
        is_whole: bool = False,
    ) -> Found:
        """Return what belongs to the person with a key.

        Args:
            map_: What belongs to persons.
            key: Of the person, by field.
            is_whole: Whether all fields are wanted, not only those that lead on.

        Raises:
            SubjectNotFoundError: There is no such person.
            PartialViewError: The sender may not see all of it.
        """
        found: dict[str, list[Row]] = {}
        for model in map_.models:
            names = None if is_whole else _needed(map_, model)
            rows: dict[object, Row] = {}
            for filter_ in _filters(map_, model, key, found):
                async for row in self.matching(model, filter_, names):
                    rows[_identity(model, row)] = row
            found[model.name] = [*rows.values()]
            await self._lock(model, found[model.name])
        subject = map_.subject
        if not any(found[each.name] for each in map_.models if _is_of(map_, each)):
            raise SubjectNotFoundError(subject.name, subject.key)
        return found

    async def matching(
        self, model: Model, filter_: Mapping[str, Any], names: Sequence[str] | None
    ) -> AsyncIterator[Row]:
        """Yield the rows of a filter, deleted ones too, in the order of their keys.

        Raises:
            PartialViewError: The sender may not see all of it.
        """
        node = self._nodes.list(model)
        asked: dict[str, Any] = {"filter": filter_, "limit": _PAGE}
        if names is not None:
            asked["fields"] = [*names]
        if model.deleted_field is not None:
            asked["include_deleted"] = True
        if not model.key:
            asked["limit"] = None
        while True:
            page = await self._lease.ask(node, **asked)
            self._check_sight(model, names or model.names)
            for row in page["records"]:
                yield row
            if page["next_cursor"] is None:
                return
            asked["cursor"] = page["next_cursor"]

    def _check_sight(self, model: Model, names: Iterable[str]) -> None:
        terms = self._lease.terms
        if terms is None:
            return
        if terms.visible is not ALL:
            raise PartialViewError(model.name, ())
        masked = tuple(name for name in names if name in terms.masks)
        if masked:
            raise PartialViewError(model.name, masked)

    async def _lock(self, model: Model, rows: Sequence[Row]) -> None:
        """Keep others from changing rows, or referring to them; SQLite has one writer."""
        if not self._locks or self._lease.dialect is not POSTGRESQL or not model.key:
            return
        table = self._lease.table(model)
        for chunk in chunks(rows):
            where = parse(keys_filter(model, chunk), model)
            selected = table.select(where, names=model.key)
            text = f"{selected.text} FOR UPDATE"
            locking = Statement(text, selected.parameters, returns_rows=True)
            await self._lease.connection.run((locking,))


def key_of(model: Model, key: object) -> dict[str, Any]:
    """Return a key by field; one of several fields is given as a mapping.

    Raises:
        SubjectNotFoundError: It has other fields.
    """
    if isinstance(key, Mapping):
        named = cast("Mapping[object, Any]", key)
        given = {str(name): value for name, value in named.items()}
    else:
        given = {model.key[0]: key} if len(model.key) == 1 else {}
    if {*given} != {*model.key}:
        raise SubjectNotFoundError(model.name, model.key)
    return given


def keys_filter(model: Model, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the filter of rows with the same keys as these."""
    return _any_of(model.key, [tuple(row[name] for name in model.key) for row in rows])


def _filters(
    map_: SubjectMap, model: Model, key: Mapping[str, Any], found: Found
) -> Iterable[dict[str, Any]]:
    if _is_of(map_, model):
        yield dict(key)
    for link in map_.links[model.name]:
        names = tuple(own for own, _ in link.pairs)
        values = dict.fromkeys(
            tuple(row[theirs] for _, theirs in link.pairs)
            for row in found[link.target.name]
        )
        known = [each for each in values if None not in each]
        for chunk in chunks(known):
            yield _any_of(names, chunk)


def _is_of(map_: SubjectMap, model: Model) -> bool:
    """Whether rows of *model* are the person, rather than belong to it."""
    return model.name in map_.roots


def _any_of(names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    if len(names) == 1:
        return {names[0]: {"$in": [each[0] for each in values]}}
    return {"$or": [dict(zip(names, each, strict=True)) for each in values]}


def _needed(map_: SubjectMap, model: Model) -> list[str]:
    """Return the fields that lead on: the key, and what others refer to."""
    led = [
        theirs
        for links in map_.links.values()
        for link in links
        if link.target.name == model.name
        for _, theirs in link.pairs
    ]
    referred = [
        own.name for relation in model.own_relations for own, _ in relation.pairs
    ]
    hold = [model.privacy.hold] if model.privacy.hold is not None else []
    tenant = model.tenant_field
    named = dict.fromkeys((*model.key, *led, *referred, *hold))
    return [name for name in named if name != tenant] or [*model.names]


def _identity(model: Model, row: Row) -> object:
    return tuple(row[name] for name in model.key) if model.key else id(row)


def chunks(values: Iterable[Any]) -> Iterable[list[Any]]:
    left = iter(values)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
