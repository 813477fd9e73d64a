"""Rows that a bulk node is given: checked one by one, grouped by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import msgspec

from ..errors import DataFlowError, FieldValueError, MissingFieldError, ParameterError
from ..models import Model

__all__ = ["Failure", "Row", "batches", "read_rows", "report"]


class Row(msgspec.Struct, frozen=True, eq=False):
    """One row, checked.

    Attributes:
        index: Its place in what the sender gave, from 0.
        values: By name.
        given: Names of the values that the sender gave, in alphabetical order;
            the others are defaults.
    """

    index: int
    values: dict[str, Any]
    given: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True, eq=False):
    """A row that was not stored.

    Attributes:
        index: Its place in what the sender gave, from 0.
        error: Why.
    """

    index: int
    error: DataFlowError


def read_rows(
    model: Model,
    data: object,
    everywhere: Mapping[str, Any],
    check: Callable[[dict[str, Any], str], dict[str, Any]],
    owner: str,
    *,
    keep_going: bool = False,
) -> tuple[list[Row], list[Failure]]:
    """Return the rows that can be stored, and what is wrong with the others.

    Args:
        model: What the rows are.
        data: A list of mappings.
        everywhere: Values that go into every row.
        check: Returns the values of one row, given what errors call it.
        owner: What errors call the node.
        keep_going: Collect what is wrong instead of raising the first of it.

    Raises:
        ParameterError: A row cannot be stored; the error names its index.
    """
    if data is None:
        raise MissingFieldError(owner, "data", f"a list of {model.name} rows")
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        expected = "a list of mappings of field names to values"
        raise FieldValueError(owner, "data", type(data).__name__, expected)
    for name in everywhere:
        model.field(name, owner)
    rows: list[Row] = []
    failures: list[Failure] = []
    for index, given in enumerate(data):
        try:
            values = _merged(given, everywhere, index, owner)
            given_names = tuple(sorted(values))
            checked = check(values, f"{owner} data[{index}]")
            rows.append(Row(index, checked, given_names))
        except ParameterError as error:
            if not keep_going:
                raise
            failures.append(Failure(index, error))
    return rows, failures


def _merged(
    given: object, everywhere: Mapping[str, Any], index: int, owner: str
) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        expected = "a mapping of field names to values"
        raise FieldValueError(owner, f"data[{index}]", type(given).__name__, expected)
    for name in everywhere:
        if name in given:
            expected = "to be given for every row, or in the rows"
            raise FieldValueError(owner, name, f"both, in row {index}", expected)
    return {**given, **everywhere}


def _shape(row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(sorted(row.values)), row.given


def batches(
    rows: Iterable[Row], size: int
) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """Yield runs of neighbours of the same shape, at most *size* long.

    Rows keep their order: of two rows with the same key the later one still wins.
    """
    for (names, _), group in groupby(rows, key=_shape):
        batch: list[Row] = []
        for row in group:
            batch.append(row)
            if len(batch) == size:
                yield names, batch
                batch = []
        if batch:
            yield names, batch


def report(
    operation: str,
    batch_size: int,
    failures: list[Failure],
    *,
    processed: int,
    **counts: int,
) -> dict[str, Any]:
    """Return the result of a bulk node; the counts not given are 0."""
    result: dict[str, Any] = {
        "processed": processed,
        "inserted": 0,
        "updated": 0,
        "deleted": 0,
        "skipped": 0,
        "failed": len(failures),
        "batch_size": batch_size,
        "operation": operation,
        "success": not failures,
    }
    result.update(counts)
    if failures:
        failures.sort(key=lambda each: each.index)
        result["errors"] = [
            {"index": each.index, "error": each.error, "reason": str(each.error)}
            for each in failures
        ]
    return result
