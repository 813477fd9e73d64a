"""What a DataFlow says of the tables in its database, and makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._discovery import Discovery
from ._registry import Registry

if TYPE_CHECKING:
    from ...schema import Schema

__all__ = ["ExistingDatabase"]


class ExistingDatabase:
    """The part of a DataFlow that looks at what is there; none is made by itself."""

    _discovery: Discovery
    _registry: Registry

    def inspect_schema(self, *, schema: str | None = None) -> Schema:
        """Return the shape of the database as a value; nothing is changed.

        The caller waits, and so does an event loop it runs on; there,
        `inspect_schema_async` is better, and for a database in memory the only way.

        Args:
            schema: Of PostgreSQL; None is what plain names mean (``search_path``).

        Raises:
            DriverError: The database could not be read.
            ClosedError: The DataFlow is closed.
        """
        return self._discovery.read_sync(schema)

    async def inspect_schema_async(self, *, schema: str | None = None) -> Schema:
        """Do what `inspect_schema` does, without holding up the event loop."""
        return await self._discovery.read(schema)

    def discover_schema(
        self, *, use_real_inspection: bool = True, schema: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return what is in the database: columns, keys, indexes, by table and view.

        The caller waits, see `inspect_schema`.

        Args:
            use_real_inspection: False tells what the declared models ask for instead,
                and asks no database.
            schema: Of PostgreSQL; None is what plain names mean (``search_path``).

        Raises:
            DriverError: The database could not be read.
            ClosedError: The DataFlow is closed.
        """
        if not use_real_inspection:
            return _described(self._discovery.declared())
        return _described(self._discovery.read_sync(schema))

    async def discover_schema_async(
        self, *, use_real_inspection: bool = True, schema: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Do what `discover_schema` does, without holding up the event loop."""
        if not use_real_inspection:
            return _described(self._discovery.declared())
        return _described(await self._discovery.read(schema))

    def show_tables(
        self,
        *,
        use_real_inspection: bool = True,
        schema: str | None = None,
        views: bool = False,
    ) -> list[str]:
        """Return the names of the tables, and of the views if asked, sorted.

        The caller waits, see `inspect_schema`; the arguments are those of
        `discover_schema`.
        """
        if not use_real_inspection:
            return _table_names(self._discovery.declared(), views=views)
        return _table_names(self._discovery.read_sync(schema), views=views)

    async def show_tables_async(
        self,
        *,
        use_real_inspection: bool = True,
        schema: str | None = None,
        views: bool = False,
    ) -> list[str]:
        """Do what `show_tables` does, without holding up the event loop."""
        if not use_real_inspection:
            return _table_names(self._discovery.declared(), views=views)
        return _table_names(await self._discovery.read(schema), views=views)

    def register_schema_as_models(
        self, tables: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Make models and nodes of tables and views that others made.

        The tables are never changed. The caller waits, see `inspect_schema`.

        Args:
            tables: Their names; all tables and views if None.

        Returns:
            ``registered_models``, ``generated_nodes`` (names of nodes by model and by
            what they do), ``errors``, ``left_out`` (columns that no field holds, by
            model, with the reason), ``total_tables``, ``success_count`` and
            ``error_count``.

        Raises:
            UnknownTableError: There is no such table; none was registered.
            DriverError: The database could not be read.
            ClosedError: The DataFlow is closed.
        """
        return self._discovery.register(self._discovery.read_sync(), tables)

    async def register_schema_as_models_async(
        self, tables: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Do what `register_schema_as_models` does, without holding up the event loop.

        If cancelled, no model was made.
        """
        return self._discovery.register(await self._discovery.read(), tables)

    @property
    def registry(self) -> Registry:
        """The models of the database as its processes declared them."""
        return self._registry

    async def register_models(self) -> dict[str, Any]:
        """Keep the declared models in the database, so that others can rebuild them.

        `initialize` does it too. What is there already costs two short queries.
        Another content of a known model becomes its next version. If cancelled, all
        models are registered, or none.

        Returns:
            ``registered_models`` (those that are new or changed), ``unchanged_models``
            and ``versions`` of the former.

        Raises:
            RegistryOffError: This DataFlow must not change the schema, or
                ``enable_model_persistence=False`` says not to.
            DriverError: The database refused, or could not be reached.
        """
        return await self._registry.register()

    def reconstruct_models_from_registry(self) -> dict[str, Any]:
        """Make models and nodes of what other processes registered.

        Models that are declared here stay as they are. The caller waits, see
        `inspect_schema`. Nothing is written, and no code out of the database is run:
        enums come back as their values, Structs as dicts, and a field whose default
        only the code of its class could make must be given.

        Returns:
            ``reconstructed_models``, ``generated_nodes`` (names of nodes by model and
            by what they do), ``errors``, ``total_registry_models``, ``success_count``
            and ``error_count``.

        Raises:
            DriverError: The database could not be read.
            ClosedError: The DataFlow is closed.
        """
        return self._registry.reconstruct_sync()

    async def reconstruct_models_from_registry_async(self) -> dict[str, Any]:
        """Do the same without holding up the event loop."""
        return await self._registry.reconstruct()


def _described(schema: Schema) -> dict[str, dict[str, Any]]:
    from ...schema import described  # noqa: PLC0415  # not at start

    return described(schema)


def _table_names(schema: Schema, *, views: bool) -> list[str]:
    found = schema.relations if views else schema.tables
    return sorted(each.full_name for each in found)
