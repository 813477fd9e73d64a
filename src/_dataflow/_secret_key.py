"""Keys that sign: what is given, or what the environment says."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["secret_key"]

_SHORTEST: Final = 16
"""Bytes of a key, at least: as many as are kept of a cursor's signature."""


def secret_key(given: str | bytes | None, argument: str) -> bytes | None:
    """Return the key that is given, else that of the environment, else None.

    Args:
        given: The key.
        argument: What it was given as, such as ``cursor_key``; the environment has it
            as ``DATAFLOW_CURSOR_KEY``.

    Raises:
        ValueError: It is too short to keep anybody from guessing it.
    """
    variable = f"DATAFLOW_{argument.upper()}"
    found = os.environ.get(variable) or None if given is None else given
    if found is None:
        return None
    key = found.encode() if isinstance(found, str) else bytes(found)
    if len(key) < _SHORTEST:
        # Never the key itself.
        place = variable if given is None else argument
        msg = (
            f"{place} has {len(key)} bytes and needs at least {_SHORTEST}: take random "
            "ones, such as those of secrets.token_hex(32)"
        )
        raise ValueError(msg)
    return key
