"""Which columns a constraint is about, by its name.

Where row security holds, PostgreSQL leaves the detail of an error away that names them:
it would hold values of a row. So what is of interest, and holds none, is looked up
beforehand. Source: PostgreSQL, genam.c, `BuildIndexValueDescription`; ri_triggers.c,
`ri_ReportViolation`.
"""

from __future__ import annotations

from typing import Final, final

from ..drivers import Connection
from ..errors import DuplicateKeyError, ForeignKeyError
from ..models import Model
from ..sql import POSTGRESQL, Statement

__all__ = ["Constraints"]

_LOOK: Final = """
SELECT t.relname::text, i.relname::text, ARRAY(
    SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (n, place)
      JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.n
      WHERE place <= x.indnkeyatts ORDER BY place), ARRAY[]::text[]
  FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
    JOIN pg_class AS t ON t.oid = x.indrelid
  WHERE x.indrelid = to_regclass($1) AND x.indisunique
UNION ALL
SELECT t.relname::text, f.conname::text, ARRAY(
    SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k (n, place)
      JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.n
      ORDER BY place), ARRAY(
    SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k (n, place)
      JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.n
      ORDER BY place)
  FROM pg_constraint AS f JOIN pg_class AS t ON t.oid = f.conrelid
  WHERE f.contype = 'f' AND to_regclass($1) IN (f.conrelid, f.confrelid)
"""

_Columns = tuple[tuple[str, ...], tuple[str, ...]]
"""Of the constraint, and of a foreign key those that it refers to."""


@final
class Constraints:
    """The constraints of the tables that were looked at."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str], _Columns] = {}

    async def look(self, connection: Connection, model: Model) -> None:
        """Take notice of those of the table of *model*.

        Raises:
            DriverError: The database could not be read.
        """
        table = POSTGRESQL.quote(model.table)
        look = Statement(_LOOK, (table,), returns_rows=True)
        (result,) = await connection.run((look,))
        for name, constraint, columns, target in result.rows:
            self._columns[name, constraint] = tuple(columns), tuple(target)

    def duplicate(self, error: DuplicateKeyError) -> DuplicateKeyError:
        """Return *error* with the fields that it is about, if they are known."""
        columns, _ = self._columns.get((error.table, error.constraint), ((), ()))
        if error.fields or not columns:
            return error
        return DuplicateKeyError(error.table, columns, error.code, error.constraint)

    def foreign(
        self, error: ForeignKeyError, table: str, *, is_delete: bool
    ) -> ForeignKeyError:
        """Return *error* likewise: with the fields of the row that was to go.

        Args:
            error: What the database raised.
            table: Name of the table that was to be changed.
            is_delete: Whether rows were to be deleted.
        """
        known = self._columns.get((error.table, error.constraint))
        if error.fields or known is None:
            return error
        own, target = known
        columns = target if is_delete or error.table != table else own
        return ForeignKeyError(error.table, columns, error.code, error.constraint)
