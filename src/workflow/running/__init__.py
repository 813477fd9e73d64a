"""Running: one run of a workflow on a host."""

from __future__ import annotations

from ._given import Given
from ._heading import detach
from ._run import run

__all__ = ["Given", "detach", "run"]
