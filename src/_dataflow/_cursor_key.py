"""With what the cursors of lists are signed."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["key_of_cursors"]

_VARIABLE: Final = "DATAFLOW_CURSOR_KEY"

_SHORTEST: Final = 16
"""Bytes of a key, at least: as many as are kept of the signature."""


def key_of_cursors(given: str | bytes | None) -> bytes | None:
    """Return the key that is given, else that of the environment, else None.

    Raises:
        ValueError: It is too short to keep anybody from guessing it.
    """
    found = os.environ.get(_VARIABLE) or None if given is None else given
    if found is None:
        return None
    key = found.encode() if isinstance(found, str) else bytes(found)
    if len(key) < _SHORTEST:
        # Never the key itself.
        place = _VARIABLE if given is None else "cursor_key"
        msg = (
            f"{place} has {len(key)} bytes and needs at least {_SHORTEST}: take random "
            "ones, such as those of secrets.token_hex(32)"
        )
        raise ValueError(msg)
    return key
