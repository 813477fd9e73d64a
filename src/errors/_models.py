"""What is wrong with a model as it is declared."""

from __future__ import annotations

from ._base import DataFlowError, hint

__all__ = [
    "ModelError",
    "RegistryOffError",
    "UnavailableNodeError",
    "UnknownModelError",
    "UnknownTableError",
]


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


class UnavailableNodeError(DataFlowError):
    """A node cannot work on the table that its model stands for.

    Attributes:
        node: Name of the node.
        model: Name of the model.
        reason: What the table lacks, and what to do.
    """

    def __init__(self, node: str, model: str, reason: str) -> None:
        super().__init__(node, model, reason)
        self.node = node
        self.model = model
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.node} does not work on {self.model}: {self.reason}"


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


class UnknownTableError(DataFlowError, LookupError):
    """The database has no table or view of this name.

    Attributes:
        name: What was asked for.
        known: The names there are.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        nearest = hint(self.name, self.known)
        return f"the database has no table {self.name!r}: {nearest}"


class RegistryOffError(DataFlowError):
    """Models cannot be registered, because the database may not be changed.

    Attributes:
        reason: What says so.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"models are not registered: {self.reason}"
