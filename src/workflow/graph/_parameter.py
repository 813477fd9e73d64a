"""A stand-in for what is only known when the workflow runs."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, final

__all__ = ["PARAMETER"]


@final
class _Sentinel(Enum):
    """One member, so that copies and pickles stay the same object."""

    PARAMETER = "PARAMETER"

    def __repr__(self) -> str:
        return self.value


PARAMETER: Final[Literal[_Sentinel.PARAMETER]] = _Sentinel.PARAMETER
"""Given as a parameter: every run supplies the value by ``parameters=``.

``add_node("UserCreateNode", "create", {"name": PARAMETER})`` builds, and a run
takes ``parameters={"create": {"name": "Ada"}}``.
"""
