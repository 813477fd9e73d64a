"""Supervision: the places of actors, their lives, and who is restarted when one ends."""

from __future__ import annotations

from ._runtime import Runtime, log, watch
from ._slot import Order, Slot
from ._snapshot import Snapshot, State
from ._supervisor import Supervisor
from ._supervisor_ref import SupervisorRef

__all__ = [
    "Order",
    "Runtime",
    "Slot",
    "Snapshot",
    "State",
    "Supervisor",
    "SupervisorRef",
    "log",
    "watch",
]
