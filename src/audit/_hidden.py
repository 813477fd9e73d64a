"""What stands for a personal value of the past that cannot be told."""

from __future__ import annotations

from enum import Enum

__all__ = ["Hidden"]


class Hidden(Enum):
    """Stands in a history for a personal value, and says why it is not there.

    Attributes:
        ERASED: The key of the person was deleted: nobody can read it any more.
        LOCKED: It is sealed, and who asks has not the key for it.
        WITHHELD: It was never recorded: the write came by no node, there was no key to
            seal it with, or nobody could tell whose it was.
    """

    ERASED = "erased"
    LOCKED = "locked"
    WITHHELD = "withheld"

    def __repr__(self) -> str:
        return f"<{self.value}>"
