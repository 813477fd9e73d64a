"""What becomes of a message, with all that it brings about: one answer for everybody.

The layer acts on it, an explanation shows it, and a simulation holds it against what
was decided before.
"""

from __future__ import annotations

from ..messages import Request
from .judging import Asker, Decision, Snapshot
from .raw import judge_reached

__all__ = ["decide"]


def decide(
    message: Request, snapshot: Snapshot, asker: Asker, *, may_pass: bool = False
) -> Decision:
    """Decide about a message for the node of a model.

    Args:
        message: It.
        snapshot: The rules.
        asker: Who sent it, and when.
        may_pass: Whether the asker has leave to pass by rules.

    Raises:
        BlockedError: The rules refuse what foreign keys make of it.
    """
    decision = snapshot.case(message).judge(asker, may_pass=may_pass)
    reached = snapshot.reached(message)
    if not reached or decision.effect == "deny":
        return decision
    return decision.beside(judge_reached(message, reached, snapshot, asker))
