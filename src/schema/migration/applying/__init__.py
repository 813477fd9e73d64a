"""Applying: the ledger, the lock, and running steps."""

from __future__ import annotations

from ._backup_postgresql import back_up_postgresql, restore_postgresql, see_backup
from ._backup_sqlite import back_up_sqlite, restore_sqlite
from ._ledger import LEDGER, STEPS, Ledger
from ._lock import advisory_lock, patiently
from ._look import ask, digest, look, weigh
from ._run import Runner
from ._soundness import defects, see_sound

__all__ = [
    "LEDGER",
    "STEPS",
    "Ledger",
    "Runner",
    "advisory_lock",
    "ask",
    "back_up_postgresql",
    "back_up_sqlite",
    "defects",
    "digest",
    "look",
    "patiently",
    "restore_postgresql",
    "restore_sqlite",
    "see_backup",
    "see_sound",
    "weigh",
]
