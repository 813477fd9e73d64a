"""What is wrong with a model as it is declared."""

from __future__ import annotations

from ._base import DataFlowError, hint

__all__ = ["ModelError", "UnknownModelError"]


class ModelError(DataFlowError):
    """A model cannot be declared as written.

    Attributes:
        model: Name of the class.
        field: Name of the offending field, or None when the whole is wrong.
        problem: What is wrong and what is supported.
    """

    def __init__(self, model: str, field: str | None, problem: str) -> None:
        super().__init__(model, field, problem)
        self.model = model
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        place = self.model if self.field is None else f"{self.model}.{self.field}"
        return f"{place} cannot be declared: {self.problem}"


class UnknownModelError(DataFlowError, LookupError):
    """No model of this name is declared.

    Attributes:
        name: What was asked for.
        known: The names that are declared.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        nearest = hint(self.name, self.known)
        return f"no model {self.name!r} is declared here: {nearest}"
