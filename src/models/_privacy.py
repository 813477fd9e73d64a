"""What a model says of the persons whose data its rows hold, as values."""

from __future__ import annotations

import msgspec

__all__ = ["Privacy", "Retention"]


class Retention(msgspec.Struct, frozen=True):
    """How long rows are kept.

    Attributes:
        field: The time or date from which it is counted; rows without one stay.
        after_days: Days after which a row is due, at least one.
        action: What becomes of it then: ``delete``, ``archive`` or ``anonymise``.
    """

    field: str
    after_days: int
    action: str = "delete"


class Privacy(msgspec.Struct, frozen=True):
    """Whose data the rows of a model are, and what becomes of it.

    Attributes:
        is_subject: Whether each row is a person.
        paths: Names of the relations, or of the foreign keys, by which its rows belong
            to a person; none if they belong to nobody, None to follow the only one.
        erasure: What an erasure does with its rows, whatever its mode: ``delete``,
            ``anonymise``, ``keep``, or None for what the mode says.
        reason: Why rows are kept, or None.
        retention: How long rows are kept; None for ever.
        hold: Name of the field that says that a row must stay as it is, or None.
    """

    is_subject: bool = False
    paths: tuple[str, ...] | None = None
    erasure: str | None = None
    reason: str | None = None
    retention: Retention | None = None
    hold: str | None = None
