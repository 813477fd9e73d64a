"""What a migration may do."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...errors import (
    MigrationBlockedError,
    MigrationChangedError,
    MigrationRiskError,
)
from ._risk import Risk
from ._step import Plan

__all__ = ["Permission"]


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration may do.

    Attributes:
        limit: The greatest risk of a step.
        agreed: Checksum of the plan that somebody agreed to; None for any.
        has_backup: Whether a backup is made first.
        folder: Where the file of the backup is made, or None for where it is by
            itself.
        is_rolled_back: Whether a failure undoes the steps before it.
    """

    limit: Risk = Risk.HIGH
    agreed: str | None = None
    has_backup: bool = False
    folder: Path | None = None
    is_rolled_back: bool = True

    def check(self, plan: Plan) -> None:
        """See that a plan may be carried out.

        Raises:
            MigrationBlockedError: What is to be done is not known.
            MigrationRiskError: A step is riskier than allowed.
            MigrationChangedError: Something else is to be done than was agreed to.
        """
        if plan.problems:
            raise MigrationBlockedError(plan.problems)
        above = [step for step in plan.steps if step.risk > self.limit]
        if above:
            raise MigrationRiskError(
                self.limit.name,
                plan.risk.name,
                tuple(step.description for step in above),
                tuple(step.alternative for step in above),
            )
        if plan.steps and self.agreed not in {None, plan.checksum}:
            raise MigrationChangedError(self.agreed or "", plan.checksum)
