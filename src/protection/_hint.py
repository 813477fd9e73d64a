"""The nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import nearest

__all__ = ["hint"]


def hint(name: str, known: Sequence[str]) -> str:
    """Say the nearest of the names there are, or all of them when none is near."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"there are {', '.join(known)}" if known else "there are none"
