"""Which statements change more than rows, told by their first word.

This keeps an honest user from an accident. It is no protection: a function or a
data-modifying ``WITH`` gets through. Protection is what an interceptor does, and to
it raw SQL is a write to every model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ...errors import FieldValueError

__all__ = ["refuse_administrative"]

# The schema, rights, the server, the file system; and transactions, since each
# statement commits by itself.
_WORDS: Final = frozenset(
    {
        *("ALTER", "ANALYZE", "ATTACH", "CLUSTER", "COMMENT", "CREATE", "DETACH"),
        *("DROP", "GRANT", "LOAD", "PRAGMA", "REASSIGN", "REFRESH", "REINDEX"),
        *("REVOKE", "SECURITY", "SET", "RESET", "TRUNCATE", "VACUUM", "DO", "CALL"),
        *("COPY", "LOCK", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"),
        *("SAVEPOINT", "RELEASE"),
    }
)
_FIRST_WORD: Final = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)


def refuse_administrative(parameters: Mapping[str, Any], owner: str) -> None:
    """Refuse such a query, unless ``validate_queries`` is False.

    Raises:
        FieldValueError: It is one.
    """
    query = parameters.get("query")
    if parameters.get("validate_queries", True) is False or not isinstance(query, str):
        return
    match = _FIRST_WORD.match(query)
    word = match[1].upper() if match else ""
    if word in _WORDS:
        came = f"a statement that begins with {word}"
        expected = "one that reads or writes rows, unless validate_queries=False"
        raise FieldValueError(owner, "query", came, expected)
