"""What keeps a migration from being done."""

from __future__ import annotations

from ._base import DataFlowError, hint

__all__ = [
    "BackupError",
    "HistoryEditedError",
    "MigrationBlockedError",
    "MigrationChangedError",
    "MigrationCheckError",
    "MigrationConfirmationError",
    "MigrationFailedError",
    "MigrationRiskError",
    "NothingToRollBackError",
    "RiskLevelError",
    "SchemaProtectedError",
]


class RiskLevelError(DataFlowError, ValueError):
    """No risk level of this name.

    Attributes:
        name: What was given.
        known: The levels there are, the least first.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"no risk level {self.name!r}: {hint(self.name, self.known)}"


class MigrationBlockedError(DataFlowError):
    """What is to be done cannot be known, or cannot be done; nothing was changed.

    Attributes:
        problems: Each with what would solve it.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return f"the migration cannot be planned: {'; '.join(self.problems)}"


class MigrationRiskError(DataFlowError):
    """Steps are riskier than allowed; nothing was changed.

    Attributes:
        limit: The greatest risk that is allowed.
        risk: The greatest risk of a step.
        steps: What the steps above the limit would do.
        alternatives: For each of them, what is safer.
    """

    def __init__(
        self,
        limit: str,
        risk: str,
        steps: tuple[str, ...],
        alternatives: tuple[str, ...],
    ) -> None:
        super().__init__(limit, risk, steps, alternatives)
        self.limit = limit
        self.risk = risk
        self.steps = steps
        self.alternatives = alternatives

    def __str__(self) -> str:
        said = [
            f"{step} (safer: {alternative})" if alternative else step
            for step, alternative in zip(self.steps, self.alternatives, strict=False)
        ]
        return (
            f"the migration is of risk {self.risk}, allowed is {self.limit}; nothing "
            f"was changed: {'; '.join(said)}; or allow it by "
            f"max_risk_level={self.risk!r}"
        )


class MigrationConfirmationError(DataFlowError):
    """Somebody has to agree, and there is no terminal to ask on.

    Attributes:
        command: What to run instead.
    """

    def __init__(self, command: str) -> None:
        super().__init__(command)
        self.command = command

    def __str__(self) -> str:
        return (
            "a migration waits for somebody to agree, and this is no terminal: run "
            f"`{self.command}`, or say auto_confirm=True"
        )


class MigrationChangedError(DataFlowError):
    """The database changed after the plan was shown; nothing was done.

    Attributes:
        agreed: Checksum of the plan that was agreed to.
        found: Checksum of the one that would be needed now.
    """

    def __init__(self, agreed: str, found: str) -> None:
        super().__init__(agreed, found)
        self.agreed = agreed
        self.found = found

    def __str__(self) -> str:
        return (
            "the database changed after the migration was shown, nothing was done: "
            "look at the new plan and agree again"
        )


class MigrationCheckError(DataFlowError):
    """What is in the database does not allow a step, or a step did not do its work.

    Attributes:
        step: What the step would do.
        problem: What was found, and what to do about it.
    """

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(step, problem)
        self.step = step
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.step}: {self.problem}"


class MigrationFailedError(DataFlowError):
    """A step failed; the error of the database is the cause.

    Attributes:
        step: What the step would do.
        reason: Why it failed.
        outcome: What became of the steps before it.
    """

    def __init__(self, step: str, reason: str, outcome: str) -> None:
        super().__init__(step, reason, outcome)
        self.step = step
        self.reason = reason
        self.outcome = outcome

    def __str__(self) -> str:
        return f"the migration failed at: {self.step}: {self.reason}; {self.outcome}"


class HistoryEditedError(DataFlowError):
    """The ledger of migrations does not say what it said when it was written.

    Attributes:
        number: The first migration that differs.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return (
            f"migration {self.number} in dataflow_migrations was edited after it was "
            "applied, nothing was done: restore the table from a backup"
        )


class SchemaProtectedError(DataFlowError):
    """The schema of this database is never to be changed.

    Attributes:
        reason: What says so.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.reason} keeps the schema as it is: use a DataFlow without it to "
            "change it, or dry_run=True, where there is one, to look"
        )


class BackupError(DataFlowError):
    """No backup could be made or read; nothing was migrated.

    Attributes:
        reason: Why, and what to do.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no backup: {self.reason}"


class NothingToRollBackError(DataFlowError):
    """No migration of the ledger can be undone.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"there is nothing to roll back: {self.reason}"
