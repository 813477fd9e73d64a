"""Actors: tasks that own their state and talk through mailboxes."""

from __future__ import annotations

from ._actor import Actor, ActorContext, ActorCrash
from ._dead_letters import DeadLetter, DeadLetters, Reason
from ._interceptor import Handler, Interceptor, compose, nothing_left
from ._lanes import Admission, Lanes
from ._mailbox import Overflow
from ._ref import ActorRef
from ._restart import Restart, RestartPolicy, Strategy
from ._signal import NewSignal, Signal
from ._system import ActorSystem
from ._turn import MessageAbandonedError, Turn, UnansweredError, current_turn
from .supervision import Snapshot, State, SupervisorRef

__all__ = [
    "Actor",
    "ActorContext",
    "ActorCrash",
    "ActorRef",
    "ActorSystem",
    "Admission",
    "DeadLetter",
    "DeadLetters",
    "Handler",
    "Interceptor",
    "Lanes",
    "MessageAbandonedError",
    "NewSignal",
    "Overflow",
    "Reason",
    "Restart",
    "RestartPolicy",
    "Signal",
    "Snapshot",
    "State",
    "Strategy",
    "SupervisorRef",
    "Turn",
    "UnansweredError",
    "compose",
    "current_turn",
    "nothing_left",
]
