"""What protection refuses."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = ["WriteBlockedError"]


class WriteBlockedError(DataFlowError):
    """A protection layer refused a write before it reached the database.

    Attributes:
        model: Name of the protected model, or ``*`` for raw SQL.
        operation: What was refused.
        rule: Name of the rule that refused.
    """

    def __init__(self, model: str, operation: str, rule: str) -> None:
        super().__init__(model, operation, rule)
        self.model = model
        self.operation = operation
        self.rule = rule

    def __str__(self) -> str:
        return (
            f"{self.rule} refused {self.operation} on {self.model}: lift the rule, "
            "or only read"
        )
