"""What the database may do by itself for a message to a node.

The statements of nodes are made here, and what foreign keys make of them was judged with
the message. What triggers and rules of rewriting write is judged now. What they read
goes nowhere but to what they write.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...messages import Request
from ...sql import POSTGRESQL, Dialect, Permits, Touch
from ..judging import Asker, Snapshot
from ._judge import judge_beside, not_understood
from ._statement import Access
from ._wall import CATALOGUES, OWN_TABLES, Wall

__all__ = ["wall_of"]


def wall_of(
    message: Request, snapshot: Snapshot, asker: Asker, dialect: Dialect
) -> Permits:
    """Return what says what the database may do for a message.

    Args:
        message: It.
        snapshot: The rules.
        asker: Who sent it, and when.
        dialect: Of the database.
    """
    operation = message.operation.value

    def judge(access: Access) -> None:
        judge_beside(access, snapshot, asker, operation)

    wall = Wall(_done(message, snapshot), snapshot.models, judge, not_understood)
    tells_who = dialect is not POSTGRESQL

    def permits(touch: Touch) -> Exception | None:
        table = touch.table.casefold()
        # PostgreSQL keeps its books for every statement, and does not tell for which.
        is_own = touch.within is None if tells_who else table.startswith(CATALOGUES)
        is_ours = table.startswith(OWN_TABLES)
        return None if touch.action == "read" or is_own or is_ours else wall(touch)

    return permits


def _done(message: Request, snapshot: Snapshot) -> Iterator[Access]:
    """Yield what the statements of a node do, and foreign keys for them."""
    model = snapshot.models.get(message.model)
    if model is None:
        return
    actions = snapshot.case(message).actions
    for action in actions:
        yield Access(model.table, action, None)
    if model.deleted_field is not None and "delete" in actions:
        yield Access(model.table, "update", None)
    for each in snapshot.reached(message):
        yield Access(snapshot.models[each.model].table, each.action, each.fields)
