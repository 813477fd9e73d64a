"""Raw SQL as a node."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, final

from ..actors import Actor
from ..drivers import Driver, parse_url
from ..errors import (
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
)
from ..messages import Operation, Request
from ..sql import raw_statement
from ._database import Database
from ._node import Node, Port

__all__ = ["SqlActor", "SqlNode"]

NAME: Final = "AsyncSQLDatabaseNode"

_PORTS: Final = {
    port.name: port
    for port in (
        Port("connection_string", str),
        Port("query", str, is_required=True),
        Port("params", list | tuple),
        Port("parameters", list | tuple),
        Port("validate_queries", bool),
    )
}
_RESULTS: Final = {
    port.name: port
    for port in (Port("data", list), Port("row_count", int), Port("columns", list))
}

# The first word of statements that change the schema, rights or the server.
_ADMINISTRATIVE: Final = frozenset(
    "ALTER ANALYZE ATTACH CLUSTER COMMENT CREATE DETACH DROP GRANT LOAD PRAGMA "
    "REFRESH REINDEX REVOKE SECURITY SET TRUNCATE VACUUM".split()
)


@final
class SqlNode(Node):
    """Runs one SQL statement and replies with ``data``, ``row_count`` and ``columns``.

    Placeholders are ``$1``, ``$2`` … on both databases, their values in ``params``.
    Statements that change the schema or rights need ``validate_queries=False``.
    ``connection_string`` names the database; a builder that belongs to one needs
    none. A connection string that names the database of an open `DataFlow` goes
    by its interceptors.

    Args:
        database: Where; None until `bind` is told.
    """

    def __init__(self, database: Database | None = None) -> None:
        self.name = NAME
        self.owner = database
        self._database = database

    @property
    def database(self) -> Database:
        """Where the statement runs.

        Raises:
            MissingFieldError: Nobody said.
        """
        if self._database is None:
            expected = "the URL of a database"
            raise MissingFieldError(NAME, "connection_string", expected)
        return self._database

    def bind(self, parameters: Mapping[str, Any]) -> Node:
        """Return the node for the database that *parameters* name."""
        url = parameters.get("connection_string")
        if not isinstance(url, str):
            return self
        return databases.node(url, self._database)

    def accepts(self, name: str) -> Port | None:
        """Return the input of this name."""
        # Where it runs is decided when it is added, so nothing can arrive there.
        return None if name == "connection_string" else _PORTS.get(name)

    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs."""
        return tuple(_PORTS)

    def offers(self, name: str) -> Port | None:
        """Return the output of this name."""
        return _RESULTS.get(name)

    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(_RESULTS)

    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        """Check names and types, and that it is known which database is meant."""
        for name in (*parameters, *sorted(arriving)):
            port = _PORTS.get(name)
            if port is None:
                raise UnknownFieldError(where, name, self.inputs())
            if name in parameters and not port.takes(parameters[name]):
                came = type(parameters[name]).__name__
                raise FieldValueError(where, name, came, port.expected)
        if "query" not in parameters and "query" not in arriving:
            raise MissingFieldError(where, "query", "one SQL statement")
        if self._database is None:
            expected = "the URL of a database"
            raise MissingFieldError(where, "connection_string", expected)
        if "query" in parameters and "validate_queries" not in arriving:
            _refuse_administrative(parameters, where)

    def message(self, parameters: dict[str, Any]) -> Request:
        """Make the request; interceptors see raw SQL as a write to every model."""
        parameters.pop("connection_string", None)
        return Request(
            node=NAME, model="*", operation=Operation.SQL, parameters=parameters
        )


@final
class SqlActor(Actor):
    """Runs raw SQL on one database.

    Args:
        driver: Where.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def receive(self, message: Request) -> dict[str, Any]:
        """Run the statement; it commits by itself.

        Raises:
            ParameterError: The parameters are not what the node takes.
            DriverError: The database refused.
        """
        given = message.parameters
        _refuse_administrative(given, NAME)
        values = given.get("params", given.get("parameters")) or ()
        if not isinstance(values, list | tuple):
            came = type(values).__name__
            raise FieldValueError(NAME, "params", came, "a list, $1 first")
        text = _query(given.get("query"))
        statement = raw_statement(text, values, self._driver.dialect)
        async with self._driver.acquire() as connection:
            (result,) = await connection.run((statement,))
        columns = list(result.columns)
        return {
            "data": [dict(zip(columns, row, strict=True)) for row in result.rows],
            "row_count": result.count,
            "columns": columns,
        }


def _query(query: object) -> str:
    if not isinstance(query, str) or not query.strip():
        came = type(query).__name__
        raise FieldValueError(NAME, "query", came, "one SQL statement")
    return query


def _refuse_administrative(parameters: Mapping[str, Any], owner: str) -> None:
    if parameters.get("validate_queries", True) is False:
        return
    query = parameters.get("query")
    words = query.split(None, 1) if isinstance(query, str) else []
    if words and words[0].upper() in _ADMINISTRATIVE:
        came = f"a statement that begins with {words[0].upper()}"
        expected = "one that reads or writes rows, unless validate_queries=False"
        raise FieldValueError(owner, "query", came, expected)


@final
class _Databases:
    """The databases that raw SQL may name: those of open DataFlows, and others."""

    def __init__(self) -> None:
        self._nodes: dict[Database, SqlNode] = {}
        self._foreign: dict[Any, Database] = {}

    def add(self, database: Database) -> SqlNode:
        """Make the database of a DataFlow known; its interceptors hold from now on."""
        return self._nodes.setdefault(database, SqlNode(database))

    def remove(self, database: Database) -> None:
        """Forget a database that was closed."""
        self._nodes.pop(database, None)

    def node(self, text: str, preferred: Database | None) -> SqlNode:
        """Return the node for the database that a URL names."""
        url = parse_url(text)
        if preferred is not None and preferred.url == url:
            return self.add(preferred)
        for database in reversed(self._nodes):
            if database.url == url and not database.is_closed:
                return self._nodes[database]
        return self.add_foreign(url)

    def add_foreign(self, url: Any) -> SqlNode:
        """Return the node for a database that no DataFlow has opened."""
        database = self._foreign.setdefault(url, Database(url, pool_size=5))
        return SqlNode(database)


databases: Final = _Databases()
"""The ones of this process."""
