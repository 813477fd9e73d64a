"""What a statement somebody wrote does, as far as its text tells.

Rules of this file:

1. Only what is understood wholly is told; of anything else it is said that it may do
   anything. A function that is not known to be harmless is not understood.
2. Names are taken at their worst: every name in the text counts as a column that is
   read, and a name that is both a table and something else counts as the table.
3. Nothing of the text goes into an error or a log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import msgspec

from ...errors import PolicyError
from ...sql import POSTGRESQL, Dialect
from ._harmless import HARMLESS

__all__ = ["Access", "Reading", "read_statement"]


class Access(msgspec.Struct, frozen=True):
    """One thing that a statement does to one table.

    Attributes:
        table: Its name; in small letters unless it was quoted (PostgreSQL), or always
            (SQLite).
        action: ``read``, ``create``, ``update``, ``delete`` or ``schema``.
        columns: Those that are written or read; None for every one.
        is_doubtful: Whether it may mean a part of the statement, not a table.
    """

    table: str
    action: str
    columns: frozenset[str] | None
    is_doubtful: bool = False


class Reading(msgspec.Struct, frozen=True):
    """What a statement does.

    Attributes:
        accesses: To which tables; with *problem*, nobody knows.
        problem: Why it is not understood, or None.
        is_simple: Whether the count of rows it gives is of all rows it writes.
    """

    accesses: tuple[Access, ...] = ()
    problem: str | None = None
    is_simple: bool = True


class _UnclearError(Exception):
    """The statement may do anything."""


_parsing: Final[ContextVar[bool]] = ContextVar("parsing", default=False)

_MAX_NAME_BYTES: Final = 63
"""PostgreSQL cuts longer names. Source: PostgreSQL, NAMEDATALEN."""

_READABLE: Final = 512
"""Statements whose reading is kept."""

_CATALOGUES: Final = ("pg_", "sqlite_")
"""How names of tables begin that a database keeps for itself."""

_TELLING: Final = frozenset(
    {
        *("pg_statistic", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext"),
        *("pg_stats_ext_exprs", "pg_stat_activity", "pg_stat_statements"),
        *("pg_largeobject", "pg_prepared_statements", "pg_cursors", "pg_authid"),
        *("pg_shadow", "sqlite_stat3", "sqlite_stat4", "sqlite_dbpage"),
    }
)
"""Those of them that hold values of rows, or texts of statements.

Source: PostgreSQL 18, chapters 52 and 53; sqlite.org/fileformat2.html#stat4tab.
"""

_ALL_WRITES: Final = ("delete", "schema", "update", "create")


@lru_cache(_READABLE)
def read_statement(text: str, dialect: Dialect) -> Reading:
    """Return what a statement does.

    Raises:
        PolicyError: The library that parses SQL is not installed.
    """
    sqlglot = _sqlglot()
    name = "postgres" if dialect is POSTGRESQL else "sqlite"
    token = _parsing.set(True)
    try:
        parsed = [
            each
            for each in sqlglot.parse(text, read=name)
            if each is not None and not isinstance(each, sqlglot.exp.Semicolon)
        ]
        if len(parsed) != 1:
            return Reading(problem="it is not one statement")
        return _Reader(sqlglot.exp, parsed[0], dialect).read()
    except _UnclearError as error:
        return Reading(problem=str(error))
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
        return Reading(problem="it cannot be parsed")
    finally:
        _parsing.reset(token)


@lru_cache(1)
def _sqlglot() -> Any:  # noqa: ANN401  # imported with the first statement judged
    try:
        import sqlglot  # noqa: PLC0415  # 80 ms, only where raw SQL is judged
    except ImportError as error:  # pragma: no cover  # it is a dependency
        problem = "raw SQL is judged with sqlglot: pip install 'sqlglot>=26'"
        raise PolicyError("sql", problem) from error
    # Its warnings quote the statement.
    logging.getLogger("sqlglot").addFilter(lambda _: not _parsing.get())
    return sqlglot


class _Reader:
    """Reads one parsed statement.

    Args:
        exp: sqlglot's kinds of expressions.
        root: The statement.
        dialect: What it was written in.
    """

    def __init__(self, exp: Any, root: Any, dialect: Dialect) -> None:  # noqa: ANN401  # no types worth their import
        self._exp = exp
        self._root = root
        self._folds_all = dialect is not POSTGRESQL
        self._changes = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
        self._schema = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)

    def read(self) -> Reading:
        """Return what it does.

        Raises:
            _UnclearError: That cannot be told.
        """
        exp, root = self._exp, self._root
        if isinstance(root, self._schema):
            self._check_schema()
            return Reading(tuple(self._all_of_it()), is_simple=False)
        if not isinstance(root, (*self._changes, exp.Query, exp.Values)):
            kind = type(root).__name__.upper()
            msg = f"it is of the kind {kind}, of which nothing is known"
            raise _UnclearError(msg)
        self._check_harmless()
        changes = list(root.find_all(*self._changes))
        accesses = [each for change in changes for each in self._written(change)]
        accesses += self._read_tables()
        is_simple = not changes or changes == [root]
        return Reading(tuple(dict.fromkeys(accesses)), is_simple=is_simple)

    # -- what may do anything -------------------------------------------------------

    def _check_harmless(self) -> None:
        exp = self._exp
        odd = (exp.Command, exp.NextValueFor, exp.Into, *self._schema)
        for each in self._root.find_all(*odd):
            if isinstance(each, exp.Into):
                msg = "it makes a table of what it reads"
                raise _UnclearError(msg)
            msg = f"it holds a {type(each).__name__.upper()}"
            raise _UnclearError(msg)
        for function in self._root.find_all(exp.Anonymous):
            if str(function.this).casefold() not in HARMLESS:
                msg = "it calls a function that is not known to be harmless"
                raise _UnclearError(msg)

    def _check_schema(self) -> None:
        """Check that a change of the schema is of tables, and of these alone."""
        root = self._root
        kind = str(root.args.get("kind") or "TABLE").upper()
        is_index = kind == "INDEX" and isinstance(root, self._exp.Create)
        cascades = root.args.get("cascade") or root.args.get("option") == "CASCADE"
        if cascades or not (kind == "TABLE" or is_index):
            msg = "it changes the schema, and does not tell of which tables"
            raise _UnclearError(msg)

    def _all_of_it(self) -> Iterator[Access]:
        """Yield what a change of the schema may do: anything to the tables it names."""
        names = {self._name(each) for each in self._root.find_all(self._exp.Table)}
        if not names:  # pragma: no cover  # this parser finds one; others may not
            msg = "it changes the schema, and does not tell of which tables"
            raise _UnclearError(msg)
        for name in sorted(names):
            if name.lower().startswith(_CATALOGUES):
                msg = "it changes a table that the database keeps for itself"
                raise _UnclearError(msg)
            for action in (*_ALL_WRITES, "read"):
                yield Access(name, action, None)

    # -- tables ---------------------------------------------------------------------

    def _name(self, table: Any) -> str:  # noqa: ANN401  # an expression
        identifier = table.this
        if not isinstance(identifier, self._exp.Identifier):
            msg = "it names a table in a way of its own"
            raise _UnclearError(msg)
        name = str(identifier.name)
        if self._folds_all:
            return name.lower()
        name = name if identifier.args.get("quoted") else name.lower()
        return name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")

    def _read_tables(self) -> Iterator[Access]:
        exp = self._exp
        ctes = {str(each.alias).lower() for each in self._root.find_all(exp.CTE)}
        columns = None if self._takes_all() else self._names()
        for table in self._root.find_all(exp.Table):
            if isinstance(table.this, exp.Func):
                continue  # `_check_harmless` looked at it
            name = self._name(table)
            if name.lower() in _TELLING:
                msg = "it reads what the database keeps of the values of rows"
                raise _UnclearError(msg)
            is_doubtful = name.lower() in ctes and not table.args.get("db")
            yield Access(name, "read", columns, is_doubtful)

    def _names(self) -> frozenset[str]:
        found = self._root.find_all(self._exp.Identifier)
        return frozenset(str(each.name).casefold() for each in found)

    def _takes_all(self) -> bool:
        """Whether whole rows are read, by a star or by a table's own name."""
        exp = self._exp
        for star in self._root.find_all(exp.Star):
            if not isinstance(star.parent, exp.Count):
                return True
        if any(each.args.get("method") for each in self._root.find_all(exp.Join)):
            return True
        tables = self._root.find_all(exp.Table)
        whole = {str(each.alias_or_name).casefold() for each in tables}
        columns = self._root.find_all(exp.Column)
        return any(str(each.name).casefold() in whole for each in columns)

    # -- writes ---------------------------------------------------------------------

    def _written(self, change: Any) -> Iterator[Access]:  # noqa: ANN401  # as above
        exp = self._exp
        name = self._target(change)
        if isinstance(change, exp.Delete):
            yield Access(name, "delete", None)
        elif isinstance(change, exp.Update):
            yield Access(name, "update", self._set_by(change))
        elif isinstance(change, exp.Insert):
            yield from self._inserted(change, name)
        else:
            for action in ("create", "update", "delete"):
                yield Access(name, action, None)

    def _target(self, change: Any) -> str:  # noqa: ANN401  # as above
        target = change.this
        if isinstance(target, self._exp.Schema):
            target = target.this
        if not isinstance(target, self._exp.Table):
            msg = "it does not tell which table it writes"
            raise _UnclearError(msg)
        name = self._name(target)
        if name.lower().startswith(_CATALOGUES):
            msg = "it writes to a table that the database keeps for itself"
            raise _UnclearError(msg)
        return name

    def _inserted(self, insert: Any, name: str) -> Iterator[Access]:  # noqa: ANN401  # as above
        columns = None
        if isinstance(insert.this, self._exp.Schema):
            given = insert.this.expressions
            columns = frozenset(str(each.name).casefold() for each in given)
        yield Access(name, "create", columns)
        if insert.args.get("alternative"):
            # OR REPLACE deletes what is in its way.
            yield Access(name, "update", None)
            yield Access(name, "delete", None)
        conflict = insert.args.get("conflict")
        if conflict is not None and conflict.expressions:
            yield Access(name, "update", self._set_by(conflict))

    def _set_by(self, change: Any) -> frozenset[str] | None:  # noqa: ANN401  # as above
        """Return the columns that are set; None if some cannot be told."""
        names: set[str] = set()
        for each in change.expressions:
            is_plain = isinstance(each, self._exp.EQ)
            if not is_plain or not isinstance(each.this, self._exp.Column):
                return None
            names.add(str(each.this.name).casefold())
        return frozenset(names)
