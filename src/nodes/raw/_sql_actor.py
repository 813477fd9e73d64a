"""The actor that runs raw SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

from msgspec.structs import replace

from ...actors import Actor, Turn
from ...drivers import Connection, Driver
from ...errors import ConnectionLostError, FieldValueError
from ...messages import Envelope, Request
from ...row_security import RowSecurity
from ...sql import POSTGRESQL, Ledger, Result, Statement, Terms, raw_statement
from .._touched import Watch
from ._administrative import refuse_administrative
from ._sql_node import NAME
from ._tables import check_tables

__all__ = ["SqlActor"]


@final
class SqlActor(Actor):
    """Runs raw SQL on one database, one statement at a time.

    Args:
        driver: Where.
        wall: Keeps tenants apart in the database as well, or None.
    """

    def __init__(self, driver: Driver, wall: RowSecurity | None = None) -> None:
        self._driver = driver
        self._wall = wall

    async def handle(self, turn: Turn) -> None:
        """Run the statement of each message under its terms."""
        for envelope in turn.taken:
            if envelope.is_done or envelope.is_abandoned:
                continue
            try:
                reply = await self._run(
                    self._reaching(envelope), envelope.message, envelope.terms
                )
            except Exception as error:  # noqa: BLE001  the sender's to handle
                envelope.fail(error)
            else:
                envelope.reply(reply)

    def _reaching(self, envelope: Envelope) -> Driver:
        """Return the driver, for whoever looks after all tenants one that shows all."""
        scope = envelope.scope
        cross = None if scope is None else scope.cross_tenant
        if self._wall is None or cross is None or not cross.may_write:
            return self._driver
        return self._wall.administration(self._driver)

    async def _run(
        self, driver: Driver, message: Request, terms: Terms | None
    ) -> dict[str, Any]:
        """Run the statement; it commits by itself.

        Raises:
            ParameterError: The parameters are not what the node takes.
            DriverError: The database refused.
            BlockedError: The terms do not allow it; nothing was done.
        """
        given = message.parameters
        text = _query(given.get("query"))
        refuse_administrative(given, NAME)
        statement = raw_statement(text, _values(given), self._driver.dialect)
        if terms is None:
            async with driver.acquire() as connection:
                (result,) = await connection.run((statement,))
        else:
            result = await self._run_under(driver, terms, statement)
        columns = list(result.columns)
        return {
            "data": [dict(zip(columns, row, strict=True)) for row in result.rows],
            "row_count": result.count,
            "columns": columns,
        }

    async def _run_under(
        self, driver: Driver, terms: Terms, statement: Statement
    ) -> Result:
        """Run a statement so that it keeps to terms, or is undone."""
        reads, ledger = terms.is_read_only, Ledger(terms.caps)
        try:
            async with (
                driver.acquire(write=not reads) as connection,
                connection.transaction(),
            ):
                if reads and driver.dialect is POSTGRESQL:
                    # On SQLite it is a reader, which refuses writes.
                    await connection.run((_READ_ONLY,))
                await check_tables(connection, driver.dialect, terms)
                result = await self._run_watched(connection, terms, statement)
                ledger.add(result.count)
                return result
        except ConnectionLostError:
            raise  # whether it was done is unknown
        except BaseException:
            ledger.release()
            raise

    async def _run_watched(
        self, connection: Connection, terms: Terms, statement: Statement
    ) -> Result:
        """Run a statement; what it does beside its text is held against the terms."""
        permits = terms.permits
        if permits is None or self._driver.dialect is not POSTGRESQL:
            # SQLite asks before it does anything.
            (result,) = await connection.run((replace(statement, permits=permits),))
            return result
        watch = Watch(connection, permits, reads=terms.is_read_only)
        await watch.begin()
        (result,) = await connection.run((statement,))
        await watch.check()
        return result


_READ_ONLY: Final = Statement("SET TRANSACTION READ ONLY")


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
