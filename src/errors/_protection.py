"""What protection refuses. No message holds a value: rules, names and numbers only."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = [
    "ApprovalRequiredError",
    "BlockedError",
    "PolicyError",
    "ReadBlockedError",
    "RowLimitError",
    "UnguardedStatementError",
    "WriteBlockedError",
]


class PolicyError(DataFlowError, ValueError):
    """A rule, or what it is part of, cannot be used: nothing passes until it is right.

    Attributes:
        rule: Id of the rule, or what else is wrong, such as ``protection``.
        problem: What is wrong, and what would be right.
    """

    def __init__(self, rule: str, problem: str) -> None:
        super().__init__(rule, problem)
        self.rule = rule
        self.problem = problem

    def __str__(self) -> str:
        return f"protection rule {self.rule!r}: {self.problem}"


class BlockedError(DataFlowError):
    """A protection rule refused a message; nothing was done for it.

    Attributes:
        model: Name of the model, or ``*`` for raw SQL.
        operation: What was refused.
        rule: Id of the rule that refused.
        reason: Why there is such a rule, or None.
        allowed: What would be allowed instead.
    """

    def __init__(
        self,
        model: str,
        operation: str,
        rule: str,
        reason: str | None = None,
        allowed: str = "lift the rule, or only read",
    ) -> None:
        super().__init__(model, operation, rule, reason, allowed)
        self.model = model
        self.operation = operation
        self.rule = rule
        self.reason = reason
        self.allowed = allowed

    def __str__(self) -> str:
        why = "" if self.reason is None else f" ({self.reason})"
        return (
            f"{self.rule}{why} refused {self.operation} on {self.model}: {self.allowed}"
        )


class WriteBlockedError(BlockedError):
    """A protection layer refused a write; nothing of it was stored."""


class ReadBlockedError(BlockedError):
    """A protection layer refused a read."""


class RowLimitError(WriteBlockedError):
    """A write met more rows than a rule allows, and was undone.

    Attributes:
        limit: Rows allowed.
        count: Rows it came to; of a write in batches, up to where it was stopped.
    """

    def __init__(  # noqa: PLR0917  # facts travel by position, for pickles
        self,
        model: str,
        operation: str,
        rule: str,
        reason: str | None = None,
        allowed: str = "",
        limit: int = 0,
        count: int = 0,
    ) -> None:
        super().__init__(model, operation, rule, reason, allowed)
        self.args = (model, operation, rule, reason, allowed, limit, count)
        self.limit = limit
        self.count = count

    def __str__(self) -> str:
        why = "" if self.reason is None else f" ({self.reason})"
        return (
            f"{self.rule}{why} undid {self.operation} on {self.model}, which came to "
            f"{self.count} rows: at most {self.limit} are allowed"
        )


class ApprovalRequiredError(BlockedError):
    """A message needs somebody's approval, and has none; nothing was done for it.

    Attributes:
        fingerprint: Tells this message from others, and holds none of its values.
    """

    def __init__(  # noqa: PLR0917  # facts travel by position, for pickles
        self,
        model: str,
        operation: str,
        rule: str,
        reason: str | None = None,
        allowed: str = "have it approved, and send it again",
        fingerprint: str = "",
    ) -> None:
        super().__init__(model, operation, rule, reason, allowed)
        self.args = (model, operation, rule, reason, allowed, fingerprint)
        self.fingerprint = fingerprint

    def __str__(self) -> str:
        why = "" if self.reason is None else f" ({self.reason})"
        return (
            f"{self.rule}{why} wants approval of {self.operation} on {self.model} "
            f"(message {self.fingerprint}): {self.allowed}"
        )


class UnguardedStatementError(DataFlowError):
    """A node made a statement by itself while rules about rows hold; it was not run."""

    def __str__(self) -> str:
        return (
            "a statement came from elsewhere than the guarded table: under rules about "
            "rows a node takes every statement from the table it is given"
        )
