"""What is wrong with the rows that a node found."""

from __future__ import annotations

from typing import Any

from ._base import DataFlowError

__all__ = [
    "AmbiguousFilterError",
    "PartlyStoredError",
    "RecordNotFoundError",
    "RelationNotLoadedError",
    "StoredValueError",
    "TooManyFailuresError",
    "VersionConflictError",
]


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


class VersionConflictError(DataFlowError):
    """A row has another version than the sender expects: somebody changed it.

    Nothing was changed.

    Attributes:
        model: Name of the model.
        key: The key of the row, by name.
        expected: The version that was expected.
        found: The version that it has.
    """

    def __init__(
        self, model: str, key: dict[str, Any], expected: int, found: int
    ) -> None:
        super().__init__(model, key, expected, found)
        self.model = model
        self.key = key
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"a {self.model} was changed meanwhile: version {self.expected} was "
            f"expected, and it has {self.found}; read it again, and decide anew"
        )


class RelationNotLoadedError(DataFlowError, LookupError):
    """A filter in Python asks for related rows that a row was read without.

    Attributes:
        model: Name of the model.
        relation: Name of the relation.
    """

    def __init__(self, model: str, relation: str) -> None:
        super().__init__(model, relation)
        self.model = model
        self.relation = relation

    def __str__(self) -> str:
        return (
            f"the {self.model} was read without its {self.relation!r}: read it with "
            f"include=[{self.relation!r}]"
        )


class PartlyStoredError(DataFlowError):
    """A bulk node stopped when some of its batches had been committed.

    They stay. What stopped it is the cause, and in `error`.

    Attributes:
        node: The node.
        processed: Rows at the head of the data that are dealt with, for good; the
            row of this index is the first that is not.
        stored: How many of them were inserted or changed.
        error: What is wrong with the batch behind them.
    """

    def __init__(
        self, node: str, processed: int, stored: int, error: Exception
    ) -> None:
        super().__init__(node, processed, stored, error)
        self.node = node
        self.processed = processed
        self.stored = stored
        self.error = error

    def __str__(self) -> str:
        return (
            f"{self.node} stored {self.stored} of the first {self.processed} rows, "
            "which stay stored, and stopped at the batch behind them: mend it and go "
            f"on from there, or use atomic=True for all rows or none ({self.error})"
        )


class TooManyFailuresError(DataFlowError):
    """A bulk node gave up since more rows failed than ``max_errors`` allows.

    Attributes:
        node: The node.
        limit: How many may fail.
        stored: Rows inserted or changed, which stay; 0 with ``atomic=True``.
        errors: Index, error and reason of each row that failed.
    """

    def __init__(
        self, node: str, limit: int, stored: int, errors: list[dict[str, Any]]
    ) -> None:
        super().__init__(node, limit, stored, errors)
        self.node = node
        self.limit = limit
        self.stored = stored
        self.errors = errors

    def __str__(self) -> str:
        return (
            f"{self.node} gave up: {len(self.errors)} rows failed, and max_errors "
            f"allows {self.limit}; {self.stored} rows were stored: `errors` says what "
            "is wrong with the others"
        )
