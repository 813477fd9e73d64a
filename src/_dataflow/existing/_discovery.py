"""What is in the database: looked at, and made into models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

from msgspec.structs import replace

from ...drivers import Driver
from ...errors import UnknownTableError
from ...models import Model
from ...nodes import Catalogue, Database, ModelNode
from ...telemetry import get_log
from .._hosting import Hosting

if TYPE_CHECKING:
    from ...schema import Schema, TableShape, View

__all__ = ["Discovery", "generated"]

T = TypeVar("T")

_Found: TypeAlias = "dict[str, tuple[TableShape | View, Model]]"
"""Tables, and models of them, by the names of these."""

_log = get_log("dataflow")


@final
class Discovery:
    """Looks at a database, and makes models of its tables.

    Args:
        database: Which.
        hosting: Where calls about it run.
        catalogue: What models are made in.
        add: Takes in a model.
    """

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        catalogue: Catalogue,
        add: Callable[[Model], Iterable[ModelNode[Any]]],
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._catalogue = catalogue
        self._add = add

    async def read(self, schema: str | None = None) -> Schema:
        """Return the shape of the database, from a running event loop."""
        return await self._hosting.with_driver(_reading(schema))

    def read_sync(self, schema: str | None = None) -> Schema:
        """Return the shape of the database; whoever calls waits."""
        return self._hosting.with_driver_sync(_reading(schema))

    def declared(self) -> Schema:
        """Return the shape that the declared models ask for; asks no database."""
        from ...schema import shape_of  # noqa: PLC0415  # not at start

        return shape_of(self._catalogue.models.values(), self._database.url.dialect)

    def register(self, schema: Schema, tables: Iterable[str] | None) -> dict[str, Any]:
        """Make models of tables and views, and say what became of each.

        Raises:
            UnknownTableError: There is no table of a name; none was registered.
        """
        from ...schema import relate  # noqa: PLC0415  # not at start

        known = schema.by_name
        names = [*known] if tables is None else [*dict.fromkeys(tables)]
        for name in names:
            if name not in known:
                raise UnknownTableError(name, tuple(known))
        result = _Result()
        found: _Found = {}
        for name in names:
            self._adopt(known[name], found, result)
        waiting = self._waiting(schema, found)
        related = relate([*found.values(), *waiting], self._catalogue.models.values())
        self._let_go(found)
        for name, model in related.models.items():
            if name in found:
                for what, reason in related.left_out.get(name, {}).items():
                    result.leave_out(name, what, reason)
                result.take(name, generated(self._add(model)))
            elif model.foreign_keys != self._catalogue.models[name].foreign_keys:
                self._add(model)
        return result.told("total_tables", len(names))

    def _adopt(self, table: TableShape | View, found: _Found, result: _Result) -> None:
        """Take a model of a table into what was found, without foreign keys."""
        from ...schema import adopt, model_name  # noqa: PLC0415  # not at start

        where = table.full_name
        if table.schema is not None:
            problem = "a plain name does not find it: put its schema into search_path"
            result.refuse(where, problem)
            return
        name = model_name(table.name)
        other = found[name][1] if name in found else self._catalogue.models.get(name)
        if other is not None and not (other.is_foreign and other.table == table.name):
            problem = f"a model {name} of the table {other.table} is declared already"
            result.refuse(where, problem)
            return
        adopted = adopt(table, name)
        if adopted.model is None:
            result.refuse(where, "no field can hold any of its columns")
            return
        for column, reason in adopted.left_out.items():
            result.leave_out(name, column, reason)
        found[name] = table, adopted.model

    def _let_go(self, found: _Found) -> None:
        """Take the foreign keys from discovered models that are replaced, or related.

        They were found with tables as they were before: they need not fit the new ones.
        """
        for model in [*self._catalogue.models.values()]:
            if model.foreign_keys and self._is_about(model, found):
                self._add(replace(model, foreign_keys=()))
        for name, (_, model) in found.items():
            if name in self._catalogue.models:
                self._add(model)

    @staticmethod
    def _is_about(model: Model, found: _Found) -> bool:
        """Whether a discovered model is among those found, or refers to one."""
        names = {model.name, *(key.target for key in model.foreign_keys)}
        return model.is_foreign and bool(names & {*found})

    def _waiting(
        self, schema: Schema, found: _Found
    ) -> list[tuple[TableShape | View, Model]]:
        """Return discovered models of before that may refer to the new ones."""
        new = {table.name for table, _ in found.values()}
        tables = {each.name: each for each in schema.tables if each.schema is None}
        return [
            (tables[model.table], model)
            for model in self._catalogue.models.values()
            if model.is_foreign
            and model.name not in found
            and model.table in tables
            and (
                self._is_about(model, found)
                or any(key.target in new for key in tables[model.table].foreign_keys)
            )
        ]


def generated(nodes: Iterable[ModelNode[Any]]) -> dict[str, str]:
    """Return the names of the nodes that can work, by what they do."""
    return {
        str(node.operation): node.name
        for node in nodes
        if node.operation not in node.model.unavailable
    }


class _Result:
    """What became of tables."""

    def __init__(self) -> None:
        self._models: list[str] = []
        self._nodes: dict[str, dict[str, str]] = {}
        self._errors: list[str] = []
        self._left_out: dict[str, dict[str, str]] = {}

    def take(self, model: str, nodes: dict[str, str]) -> None:
        self._models.append(model)
        self._nodes[model] = nodes

    def refuse(self, table: str, problem: str) -> None:
        _log.warning("table_refused", table=table, problem=problem)
        self._errors.append(f"{table}: {problem}")

    def leave_out(self, model: str, what: str, reason: str) -> None:
        """Say why a column is no field, or a foreign key no relation."""
        event = "column_left_out" if " -> " not in what else "reference_left_out"
        _log.warning(event, model=model, column=what, reason=reason)
        self._left_out.setdefault(model, {})[what] = reason

    def told(self, total: str, count: int) -> dict[str, Any]:
        """Return it as a dict, under the names that users know."""
        return {
            "registered_models": self._models,
            "generated_nodes": self._nodes,
            "errors": self._errors,
            "left_out": self._left_out,
            total: count,
            "success_count": len(self._models),
            "error_count": len(self._errors),
        }


def _reading(schema: str | None) -> Callable[[Driver], Awaitable[Schema]]:
    def read(driver: Driver) -> Awaitable[Schema]:
        from ...schema import read_schema  # noqa: PLC0415  # not at start

        return read_schema(driver, schema)

    return read
