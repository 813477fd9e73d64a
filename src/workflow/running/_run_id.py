"""Names for runs: unique, sortable by time, and cheap enough for every run.

A process has a prefix of its start time and a random part, then runs are counted:
a tenth of what `uuid.uuid4` costs.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from itertools import count
from typing import final

__all__ = ["new_run_id"]


@final
class _Process:
    """What tells the runs of this process from those of any other."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, as a forked child must."""
        milliseconds = time.time_ns() // 1_000_000
        self.prefix = f"{milliseconds:011x}-{secrets.token_hex(4)}-"
        self.count = count()


_process = _Process()
if sys.platform != "win32":  # pragma: no branch  # Windows has no fork
    os.register_at_fork(after_in_child=_process.renew)


def new_run_id() -> str:
    """Return an id whose text sorts by start of the process, then by order in it."""
    return f"{_process.prefix}{next(_process.count):08x}"
