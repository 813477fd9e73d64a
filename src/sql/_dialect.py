"""What differs between the databases, as a table."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["POSTGRESQL", "SQLITE", "Dialect"]


class Dialect(msgspec.Struct, frozen=True):
    """The words of one database.

    Attributes:
        name: ``postgresql`` or ``sqlite``.
        placeholder: Sign before the number of a parameter.
        max_parameters: Parameters one statement may carry.
        code_point_order: Suffix that makes text compare by code point.
    """

    name: str
    placeholder: str
    max_parameters: int
    code_point_order: str

    def quote(self, identifier: str) -> str:
        """Return *identifier* as a quoted name; both databases double the quote."""
        return '"' + identifier.replace('"', '""') + '"'

    def place(self, number: int) -> str:
        """Return the placeholder of parameter *number*, counted from 1."""
        return f"{self.placeholder}{number}"


POSTGRESQL: Final = Dialect(
    name="postgresql",
    placeholder="$",
    # asyncpg refuses more: the Bind message counts them in an Int16.
    # Source: PostgreSQL, Frontend/Backend Protocol, message `Bind`.
    max_parameters=32_767,
    code_point_order=' COLLATE "C"',
)

SQLITE: Final = Dialect(
    name="sqlite",
    placeholder="?",
    # Source: sqlite.org/limits.html, SQLITE_MAX_VARIABLE_NUMBER since 3.32.
    max_parameters=32_766,
    # The default collation, BINARY, compares UTF-8 bytes: code point order.
    code_point_order="",
)
