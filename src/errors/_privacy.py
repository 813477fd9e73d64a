"""What keeps personal data from being exported, erased or kept apart. No key is told."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = [
    "ErasureBlockedError",
    "LegalHoldError",
    "PartialViewError",
    "PrivacyError",
    "RetentionStoppedError",
    "SubjectNotFoundError",
]


class PrivacyError(DataFlowError):
    """What models say of persons does not tell what to do; nothing was done.

    Attributes:
        model: Name of the model.
        problem: What is wrong, and what to declare.
    """

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(model, problem)
        self.model = model
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.model}: {self.problem}"


class SubjectNotFoundError(DataFlowError, LookupError):
    """There is no person with the given key, or none that the sender may see.

    Attributes:
        model: Name of the model.
        key: Names of the fields of its key.
    """

    def __init__(self, model: str, key: tuple[str, ...]) -> None:
        super().__init__(model, key)
        self.model = model
        self.key = key

    def __str__(self) -> str:
        return f"no {self.model} has the given {', '.join(self.key)}: check the key"


class PartialViewError(DataFlowError):
    """Rules hide a part of what was asked for from its sender; nothing was done.

    Attributes:
        model: Name of the model.
        fields: Names of the fields that are masked; empty if rows are hidden.
    """

    def __init__(self, model: str, fields: tuple[str, ...]) -> None:
        super().__init__(model, fields)
        self.model = model
        self.fields = fields

    def __str__(self) -> str:
        if self.fields:
            listed = ", ".join(self.fields)
            return (
                f"{self.model} shows its sender {listed} only masked: give leave to see "
                "them with a rule, allow('unmask', when=...), and act as who has it"
            )
        return (
            f"rules hide rows of {self.model} from its sender, so this would leave some "
            "out: act as somebody who may see them all"
        )


class LegalHoldError(DataFlowError):
    """Rows of the person must stay as they are; nothing was done.

    Attributes:
        model: Name of the model.
        count: How many of its rows are on hold.
    """

    def __init__(self, model: str, count: int) -> None:
        super().__init__(model, count)
        self.model = model
        self.count = count

    def __str__(self) -> str:
        return (
            f"{self.count} rows of {self.model} are on legal hold: nothing is erased "
            "before that is lifted"
        )


class ErasureBlockedError(DataFlowError):
    """Rows that are not of the person refer to some that were to go; nothing was done.

    Attributes:
        model: Name of the model whose rows were to go.
        by: Name of the model whose rows refer to them.
        count: How many do.
    """

    def __init__(self, model: str, by: str, count: int) -> None:
        super().__init__(model, by, count)
        self.model = model
        self.by = by
        self.count = count

    def __str__(self) -> str:
        return (
            f"{self.count} rows of {self.by} that are not the person's refer to rows of "
            f"{self.model} that were to go, and cannot do without: erase with "
            f"mode='anonymise', or declare {self.model} with 'erasure': 'anonymise'"
        )


class RetentionStoppedError(DataFlowError):
    """A batch of old rows could not be dealt with; the batches before it stay done.

    What stopped it is the cause.

    Attributes:
        model: Name of the model.
        done: Rows of it that were dealt with in this run.
        reason: What the error says.
    """

    def __init__(self, model: str, done: int, reason: str) -> None:
        super().__init__(model, done, reason)
        self.model = model
        self.done = done
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the retention of {self.model} stopped after {self.done} rows, which stay "
            f"done: {self.reason}"
        )
