"""Importing a tenant: all rows of an export in one transaction, by way of bulk nodes.

Rows come after those that they refer to. Where they refer to each other in a circle, or
to rows of their own table, they refer to nothing at first, and to the right rows when
all are there. Keys that the database makes for all tenants together come anew, and
foreign keys follow them, by a map on the disk. What only nodes write, times of deletion and versions, is put
right at the end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast, final

import msgspec

from ...models import Field, Model, Relation
from ...nodes import Catalogue, Lease, ModelNode
from ._deletion import in_order
from ._export_files import Exported, ExportedModel, Reader
from ._exporting import OnRows
from ._key_map import KeyMap, KeyMapError
from ._portable import ported_fields, row_of, shape, signature

__all__ = ["Importer", "check_models"]

Row = dict[str, Any]

_FIRST_VERSION: Final = 1


def check_models(
    reader: Reader, manifest: Exported, models: Mapping[str, Model]
) -> None:
    """Look whether the rows of an export fit the models.

    Raises:
        ExportError: They do not.
    """
    for each in manifest.models:
        model = models.get(each.model)
        if model is None:
            problem = f"there is no model {each.model} with tenants: declare it"
            raise reader.error(problem)
        if each.signature != signature(shape(model)):
            raise reader.error(_difference(each, model))


def _difference(each: ExportedModel, model: Model) -> str:
    theirs = {str(field["name"]): field for field in each.fields}
    ours = {str(field["name"]): field for field in shape(model)}
    names = [name for name in (*theirs, *ours) if theirs.get(name) != ours.get(name)]
    name = names[0] if names else "?"
    return (
        f"{each.model} is another model here, see its field {name!r}: import it with the "
        "models of then, and migrate afterwards"
    )


@final
class Importer:
    """Stores the rows of an export.

    Args:
        lease: The transaction, for the tenant.
        catalogue: The models.
        reader: Of the export.
        manifest: What that holds; it was checked.
        keys: Where keys that come anew are noted.
        on_rows: Told how far it is.
    """

    def __init__(
        self,
        lease: Lease,
        catalogue: Catalogue,
        reader: Reader,
        manifest: Exported,
        *,
        keys: KeyMap,
        on_rows: OnRows | None,
    ) -> None:
        self._lease = lease
        self._catalogue = catalogue
        self._reader = reader
        self._manifest = manifest
        self._on_rows = on_rows
        self._referred: set[Model] = set()
        self._keys = keys

    async def store(self) -> None:
        """Store all rows.

        Raises:
            ExportError: A row cannot be stored.
            BlockedError: A rule of the protection refuses one.
            ConstraintError: The database does.
        """
        try:
            await self._store()
        except KeyMapError as error:
            raise self._reader.error(str(error)) from error

    async def _store(self) -> None:
        theirs = {each.model: each for each in self._manifest.models}
        models = [self._catalogue.models[name] for name in theirs]
        self._referred = {
            relation.target for model in models for relation in model.own_relations
        }
        ordered, circular = in_order(models)
        ordered.reverse()
        for model in ordered:
            await self._create(model, theirs[model.name], circular.get(model, []))
        for model, relations in circular.items():
            await self._refer(model, theirs[model.name], relations)
        for model in ordered:
            if model.owned and model.key:
                is_moved = model in circular
                await self._restore(model, theirs[model.name], is_moved=is_moved)

    # -- within -----------------------------------------------------------------

    async def _create(
        self, model: Model, exported: ExportedModel, circular: Sequence[Relation]
    ) -> None:
        late = self._late(model, circular)
        node, n_done = self._node(model, "BulkCreateNode"), 0
        is_anew = self._is_anew(model)
        is_noted = is_anew and bool(model in self._referred or model.owned)
        async with aclosing(self._rows(model, exported)) as every:
            async for rows in every:
                data = [
                    {
                        name: None if name in late else value
                        for name, value in row.items()
                        if name not in model.owned
                        and not (is_anew and name == model.generated_key)
                    }
                    for row in rows
                ]
                await self._rename(model, data, circular)
                reply = await self._lease.ask(
                    node, data=data, atomic=True, return_ids=is_noted
                )
                if is_noted:
                    name = cast("str", model.generated_key)
                    theirs = [row[name] for row in rows]
                    await self._keys.note(model.name, theirs, reply["ids"])
                n_done += len(rows)
                if self._on_rows is not None:
                    self._on_rows(model.name, n_done)

    def _is_anew(self, model: Model) -> bool:
        """Whether the database makes the keys of all tenants together."""
        return model.generated_key is not None and model.tenant_field is not None

    def _late(self, model: Model, circular: Sequence[Relation]) -> frozenset[str]:
        """Return the fields that refer to rows which are not there yet.

        Raises:
            ExportError: They may not be empty meanwhile.
        """
        late: set[str] = set()
        for relation in circular:
            own = [field for field, _ in relation.pairs]
            free = [field.name for field in own if field.is_nullable]
            if not free:
                problem = (
                    f"rows of {model.name} refer to others of {relation.target.name} in "
                    f"a circle by {own[0].name}, which may not be empty"
                )
                raise self._reader.error(problem)
            late.add(free[0])
        return frozenset(late)

    async def _rename(
        self, model: Model, rows: Sequence[Row], leave: Sequence[Relation] = ()
    ) -> None:
        """Let rows refer by the keys that rows have here.

        Raises:
            ExportError: One refers to a row that is not in the export.
        """
        for relation in model.own_relations:
            target = relation.target
            if relation in leave or not self._is_anew(target):
                continue
            for own, theirs in relation.pairs:
                if theirs.name == target.generated_key:
                    await self._follow(model, own, target, rows)

    async def _follow(
        self, model: Model, own: Field, target: Model, rows: Sequence[Row]
    ) -> None:
        referring = [row for row in rows if row.get(own.name) is not None]
        wanted = [row[own.name] for row in referring]
        found = await self._keys.find(target.name, wanted)
        if not found.keys() >= {*wanted}:
            problem = (
                f"a row of {model.name} refers by {own.name} to one of {target.name} "
                "that is not in it"
            )
            raise self._reader.error(problem)
        for row in referring:
            row[own.name] = found[row[own.name]]

    async def _refer(
        self, model: Model, exported: ExportedModel, relations: Sequence[Relation]
    ) -> None:
        """Let rows refer to those that came after them."""
        node = self._node(model, "BulkUpdateNode")
        late = self._late(model, relations)
        kept = [model.updated_field] if model.updated_field is not None else []
        async with aclosing(self._rows(model, exported)) as every:
            async for rows in every:
                data = [
                    row for row in rows if any(row[name] is not None for name in late)
                ]
                await self._rename(model, data)
                keys = await self._keyed(model, data)
                changes = [
                    key | {name: row[name] for name in (*late, *kept)}
                    for key, row in zip(keys, data, strict=True)
                ]
                if changes:
                    await self._lease.ask(node, data=changes, atomic=True)

    async def _keyed(self, model: Model, rows: Sequence[Row]) -> list[Row]:
        """Return the keys that rows have here."""
        names = [name for name in model.key if name != model.tenant_field]
        keys = [{name: row[name] for name in names} for row in rows]
        if self._is_anew(model):
            name = cast("str", model.generated_key)
            found = await self._keys.find(model.name, (key[name] for key in keys))
            for key in keys:
                key[name] = found[key[name]]
        return keys

    async def _restore(
        self, model: Model, exported: ExportedModel, *, is_moved: bool
    ) -> None:
        """Put right what only nodes write; where rows were changed, in all of them."""
        names = [name for name in model.names if name in model.owned]
        apart = [
            relation
            for relation in model.own_relations
            if not any(own.name in model.key for own, _ in relation.pairs)
        ]
        async with aclosing(self._rows(model, exported)) as every:
            async for rows in every:
                changed = [
                    row
                    for row in rows
                    if is_moved
                    or any(row[name] not in {None, _FIRST_VERSION} for name in names)
                ]
                await self._rename(model, changed, apart)
                values = [{name: row[name] for name in names} for row in changed]
                keys = await self._keyed(model, changed)
                await self._lease.restore(model, [*zip(keys, values, strict=True)])

    async def _rows(
        self, model: Model, exported: ExportedModel
    ) -> AsyncGenerator[list[Row]]:
        fields = {each.name: each for each in ported_fields(model)}
        async with aclosing(self._reader.lines(exported)) as some:
            async for lines in some:
                try:
                    rows = [row_of(fields, line) for line in lines]
                except (ValueError, KeyError, msgspec.MsgspecError) as error:
                    problem = f"a line of {exported.file} is no row of {model.name}"
                    raise self._reader.error(problem) from error
                yield rows

    def _node(self, model: Model, suffix: str) -> ModelNode[Any]:
        return cast("ModelNode[Any]", self._catalogue.node(f"{model.name}{suffix}"))
