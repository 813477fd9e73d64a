"""Raw SQL as a node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, final

from ...drivers import parse_url
from ...errors import FieldValueError, MissingFieldError, UnknownFieldError
from ...messages import Operation, Request
from .._database import Database
from .._node import Node, Port
from ._administrative import refuse_administrative

__all__ = ["NAME", "SqlNode"]

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
        find: Returns the node for a URL, which may name this database.
    """

    def __init__(
        self, database: Database | None, find: Callable[[str, Database | None], Node]
    ) -> None:
        self.name = NAME
        self.owner = database
        self._database = database
        self._find = find

    def __repr__(self) -> str:
        return f"<{self.name} of {self._database!r}>"

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
        """Return the node for the database that *parameters* name.

        Raises:
            UrlError: The connection string cannot be understood.
        """
        url = parameters.get("connection_string")
        if not isinstance(url, str):
            return self
        return self._find(url, self._database)

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
        self._check_database(where, parameters, arriving)
        if not {"query", "validate_queries"}.intersection(arriving):
            refuse_administrative(parameters, where)

    def _check_database(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        name = "connection_string"
        if name in arriving:
            expected = "a URL when the node is added"
            raise FieldValueError(where, name, "a promise", expected)
        if self._database is None:
            raise MissingFieldError(where, name, "the URL of a database")
        if name in parameters and parse_url(parameters[name]) != self._database.url:
            expected = "the URL with which the node was added"
            raise FieldValueError(where, name, "another one", expected)

    def message(self, parameters: dict[str, Any]) -> Request:
        """Make the request; interceptors see raw SQL as a write to every model."""
        parameters.pop("connection_string", None)
        return Request(
            node=NAME, model="*", operation=Operation.SQL, parameters=parameters
        )
