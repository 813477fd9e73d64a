"""What is wrong with what a node was given."""

from __future__ import annotations

from ._base import DataFlowError, hint

__all__ = [
    "ConfirmationRequiredError",
    "FieldValueError",
    "FilterError",
    "MissingFieldError",
    "ParameterError",
    "UnknownFieldError",
]


class ParameterError(DataFlowError, ValueError):
    """A node was given parameters it cannot use; nothing was stored.

    Attributes:
        owner: The node or model that refused.
        field: The parameter or field.
    """

    owner: str
    field: str


class UnknownFieldError(ParameterError):
    """A parameter or field that the node does not have.

    Attributes:
        known: The names that it has.
    """

    def __init__(self, owner: str, field: str, known: tuple[str, ...]) -> None:
        super().__init__(owner, field, known)
        self.owner = owner
        self.field = field
        self.known = known

    def __str__(self) -> str:
        return f"{self.owner} has no {self.field!r}: {hint(self.field, self.known)}"


class MissingFieldError(ParameterError):
    """A required parameter or field is absent.

    Attributes:
        expected: What it should be.
    """

    def __init__(self, owner: str, field: str, expected: str) -> None:
        super().__init__(owner, field, expected)
        self.owner = owner
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        return (
            f"{self.owner} needs {self.field!r} ({self.expected}): "
            "give it as a parameter or connect it"
        )


class FieldValueError(ParameterError):
    """A value of the wrong type, or outside what both databases can hold.

    Attributes:
        came: What came, described by its type (never the value itself).
        expected: What the field takes.
    """

    def __init__(self, owner: str, field: str, came: str, expected: str) -> None:
        super().__init__(owner, field, came, expected)
        self.owner = owner
        self.field = field
        self.came = came
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.owner}.{self.field} takes {self.expected}, not {self.came}"


class FilterError(DataFlowError, ValueError):
    """A filter, an order or a cursor that cannot be understood.

    Attributes:
        path: Where in the filter, such as ``age.$gt``.
        problem: What is wrong and what would be right.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path or 'filter'}: {self.problem}"


class ConfirmationRequiredError(DataFlowError):
    """A bulk change without a filter would touch every row.

    Attributes:
        node: The node that refused.
    """

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node

    def __str__(self) -> str:
        return (
            f"{self.node} has an empty filter and would change every row: "
            "give a filter, or confirmed=True if every row is meant"
        )
