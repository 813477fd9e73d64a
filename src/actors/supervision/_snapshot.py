"""The state of an actor, and what can be seen of it from outside."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from .._restart import Strategy

__all__ = ["TRANSITIONS", "Signal", "Snapshot", "State"]


class State(StrEnum):
    """Where an actor is in its life."""

    IDLE = "idle"
    """No message yet, and so no task."""
    STARTING = "starting"
    """Its `setup` runs; messages wait."""
    RUNNING = "running"
    """It serves messages, or waits for one."""
    SUSPENDED = "suspended"
    """It lets messages wait until it is resumed."""
    RESTARTING = "restarting"
    """It crashed or was halted; messages wait for the next incarnation."""
    STOPPING = "stopping"
    """It takes no new messages and serves those it has."""
    STOPPED = "stopped"
    """It is gone for good; its name is free."""


class Signal(StrEnum):
    """What moves an actor from state to state."""

    MESSAGE = "message"
    """The first message arrived."""
    READY = "ready"
    """`setup` returned."""
    SUSPEND = "suspend"
    """Somebody asked it to pause."""
    RESUME = "resume"
    """Somebody asked it to go on."""
    FALL = "fall"
    """It crashed, or its supervisor halted it."""
    REVIVE = "revive"
    """Its supervisor wants the next incarnation."""
    STOP = "stop"
    """Somebody, or the actor itself, wants it to stop for good."""
    END = "end"
    """Its task is over."""


TRANSITIONS: Final[Mapping[tuple[State, Signal], State]] = MappingProxyType(
    {
        (State.IDLE, Signal.MESSAGE): State.STARTING,
        (State.IDLE, Signal.STOP): State.STOPPING,
        (State.STARTING, Signal.READY): State.RUNNING,
        (State.STARTING, Signal.FALL): State.RESTARTING,
        (State.STARTING, Signal.STOP): State.STOPPING,
        (State.RUNNING, Signal.SUSPEND): State.SUSPENDED,
        (State.RUNNING, Signal.FALL): State.RESTARTING,
        (State.RUNNING, Signal.STOP): State.STOPPING,
        (State.SUSPENDED, Signal.RESUME): State.RUNNING,
        (State.SUSPENDED, Signal.FALL): State.RESTARTING,
        (State.SUSPENDED, Signal.STOP): State.STOPPING,
        (State.RESTARTING, Signal.REVIVE): State.STARTING,
        (State.RESTARTING, Signal.STOP): State.STOPPING,
        (State.STOPPING, Signal.END): State.STOPPED,
    }
)
"""Every move there is; anything else is a mistake of the runtime."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor or a supervisor looked like at one moment.

    Attributes:
        name: Last part of the path.
        path: Names from the root down, such as ``/nodes/User``.
        kind: ``actor`` or ``supervisor``.
        strategy: Of a supervisor; None for an actor.
        state: Where it is in its life.
        depth: Messages in the mailbox.
        lanes: Messages that wait, for the actor or for a place, by lane, those of
            none under an empty name; nothing where there are no lanes.
        capacity: Messages that fit in the mailbox; 0 for a supervisor.
        processed: Messages that the handler was given, the failed ones included.
        failed: Of these, the ones that failed.
        dropped: Messages dropped because the mailbox was full.
        expired: Messages whose deadline passed in the mailbox.
        restarts: Incarnations after the first.
        last_error: Class name of the last crash, or None.
        age_s: How long the messages in hand are being worked on, in seconds;
            None when there are none.
        workers: Incarnations there are now.
        children: Of a supervisor, in start order.
    """

    name: str
    path: str
    kind: str
    state: State
    strategy: Strategy | None = None
    depth: int = 0
    lanes: Mapping[str, int] = {}
    capacity: int = 0
    processed: int = 0
    failed: int = 0
    dropped: int = 0
    expired: int = 0
    restarts: int = 0
    last_error: str | None = None
    age_s: float | None = None
    workers: int = 0
    children: tuple[Snapshot, ...] = ()
