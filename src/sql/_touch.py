"""What a database itself says that a statement does."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["Permits", "Touch"]


class Touch(msgspec.Struct, frozen=True):
    """One thing that a statement does, by whatever way: a view, a trigger, a key.

    Attributes:
        action: ``read``, ``create``, ``update``, ``delete`` or ``schema``; ``other`` if
            it is something beside tables, such as another database file.
        table: Name of the table, or of what else it is done to.
        column: Which of its columns; None if it is not told, or about whole rows.
        within: Name of the trigger or the view that does it; None if the statement does,
            or if it is not told.
    """

    action: str
    table: str
    column: str | None = None
    within: str | None = None


Permits = Callable[[Touch], Exception | None]
"""Says whether that is permitted: returns what to raise if not.

On SQLite it is called in the thread of a connection.
"""
