"""What is wrong with the rows that a node found."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = ["AmbiguousFilterError", "RecordNotFoundError", "StoredValueError"]


class RecordNotFoundError(DataFlowError, LookupError):
    """No row matches the key or filter.

    Attributes:
        model: Name of the model.
        key: Names of the fields that were looked up.
    """

    def __init__(self, model: str, key: tuple[str, ...]) -> None:
        super().__init__(model, key)
        self.model = model
        self.key = key

    def __str__(self) -> str:
        return (
            f"no {self.model} matches the given {', '.join(self.key)}: check the "
            "key, or pass raise_on_not_found=False"
        )


class AmbiguousFilterError(DataFlowError):
    """A node for one row was given a filter that matches several; none changed.

    Attributes:
        node: The node that refused.
        bulk: The node that takes many rows.
    """

    def __init__(self, node: str, bulk: str) -> None:
        super().__init__(node, bulk)
        self.node = node
        self.bulk = bulk

    def __str__(self) -> str:
        return (
            f"{self.node} works on one row and its filter matches several; nothing "
            f"was changed: narrow the filter, or use {self.bulk}"
        )


class StoredValueError(DataFlowError):
    """A stored value does not fit the field's type any more.

    Attributes:
        model: Name of the model.
        field: Name of the field.
        expected: What the field takes.
    """

    def __init__(self, model: str, field: str, expected: str) -> None:
        super().__init__(model, field, expected)
        self.model = model
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        return (
            f"the database holds a {self.model}.{self.field} that is not "
            f"{self.expected}: correct the row, or widen the field's type"
        )
