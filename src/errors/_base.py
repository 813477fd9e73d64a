"""The base of all errors, and the nearest name for what was mistyped."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DataFlowError", "hint", "nearest"]


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the member of *known* most like *name*, or None if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415  5 ms, only for errors

    folded = {each.casefold(): each for each in known}
    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def hint(name: str, known: Sequence[str]) -> str:
    """Say the nearest valid name, or all of them when none is near."""
    match = nearest(name, known)
    if match is not None:
        return f"did you mean {match!r}?"
    return f"valid names are {', '.join(known)}" if known else "there are none"


class DataFlowError(Exception):
    """Base of every error this package raises on purpose."""
