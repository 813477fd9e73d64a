"""Names of classes as they are written in a database."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["snake_case"]

# `OrderItem` and `HTTPServer`: before a capital that starts a word.
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """Return ``order_item`` for `OrderItem`."""
    return _WORD.sub("_", name).lower()
