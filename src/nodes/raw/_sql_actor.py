"""The actor that runs raw SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, final

from ...actors import Actor
from ...drivers import Driver
from ...errors import FieldValueError
from ...messages import Request
from ...sql import raw_statement
from ._administrative import refuse_administrative
from ._sql_node import NAME

__all__ = ["SqlActor"]


@final
class SqlActor(Actor):
    """Runs raw SQL on one database, one statement at a time.

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
        text = _query(given.get("query"))
        refuse_administrative(given, NAME)
        statement = raw_statement(text, _values(given), self._driver.dialect)
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
        came = "an empty one" if isinstance(query, str) else type(query).__name__
        raise FieldValueError(NAME, "query", came, "one SQL statement")
    return query


def _values(given: Mapping[str, Any]) -> Sequence[object]:
    names = [name for name in ("params", "parameters") if given.get(name) is not None]
    if not names:
        return ()
    if len(names) > 1:
        expected = "to be the only one of params, parameters"
        raise FieldValueError(NAME, "parameters", "a second list", expected)
    values = given[names[0]]
    if not isinstance(values, list | tuple):
        came = type(values).__name__
        raise FieldValueError(NAME, names[0], came, "a list, $1 first")
    return cast("Sequence[object]", values)
