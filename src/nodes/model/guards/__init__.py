"""What stands between a message and its database: terms, triggers, foreign keys."""

from __future__ import annotations

from ._foreign_keys import Attempt, explained, named
from ._guarded_connection import GuardedConnection, GuardedDriver, beside
from ._triggers import Triggers
from ._walled_connection import WalledDriver, walled

__all__ = [
    "Attempt",
    "GuardedConnection",
    "GuardedDriver",
    "Triggers",
    "WalledDriver",
    "beside",
    "explained",
    "named",
    "walled",
]
