"""The commands that bring a database and its models together."""

from __future__ import annotations

from ._command import migrate
from ._models import load

__all__ = ["load", "migrate"]
