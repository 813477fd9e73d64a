"""What somebody chooses who asks for a migration, and how it is asked whether it may be."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import msgspec
from anyio import to_thread

from ...errors import MigrationConfirmationError

if TYPE_CHECKING:  # heavier than all the rest, and rarely needed
    from pathlib import Path

    from ...schema.migration import Permission

__all__ = ["MigrationChoices", "confirmed"]

_YES: Final = frozenset({"y", "yes"})


class MigrationChoices(msgspec.Struct, frozen=True, kw_only=True):
    """How one migration, or one of each tenant, is to be done.

    Attributes:
        dry_run: Whether only to say what would be done.
        auto_confirm: Whether nobody is asked.
        max_risk_level: The greatest risk of a step, by name.
        backup: Whether what is changed is copied first; a path is the folder for that.
        rollback_on_error: Whether the steps before one that fails are undone.
        drops: Tables to drop, and columns, as ``table.column``.
    """

    dry_run: bool = False
    auto_confirm: bool = False
    max_risk_level: str = "HIGH"
    backup: bool | str | Path = False
    rollback_on_error: bool = True
    drops: Collection[str] = ()

    def permission(self, agreed: str | None = None) -> Permission:
        """Return what a migrator may do.

        Args:
            agreed: Checksum of the plan that somebody agreed to; None for any.

        Raises:
            RiskLevelError: No level of risk has this name.
        """
        from pathlib import Path  # noqa: PLC0415  # see above

        from ...schema.migration import Permission, Risk  # noqa: PLC0415  # see above

        backup = self.backup
        return Permission(
            limit=Risk.named(self.max_risk_level),
            agreed=agreed,
            has_backup=backup is not False,
            folder=None if isinstance(backup, bool) else Path(backup).absolute(),
            is_rolled_back=self.rollback_on_error,
        )


async def confirmed(shown: str, question: str, command: str) -> bool:
    """Show what there is to do on the terminal, and ask.

    Args:
        shown: What to show, lines with their ends.
        question: What to ask.
        command: What does it without a terminal.

    Raises:
        MigrationConfirmationError: There is no terminal to ask on.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise MigrationConfirmationError(command)
    sys.stdout.write(shown)
    answer = await to_thread.run_sync(
        input, f"{question} [y/N] ", abandon_on_cancel=True
    )
    return answer.strip().lower() in _YES
