"""Rows that a bulk node is given: checked one by one, grouped by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

import msgspec

from ...errors import DataFlowError, FieldValueError, MissingFieldError, ParameterError
from ...models import Model
from ._options import as_list, came, is_mapping

__all__ = ["Failure", "Row", "batches", "read_rows"]

_MAPPING = "a mapping of field names to values"


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
    for name in everywhere:
        model.field(name, owner)
    rows: list[Row] = []
    failures: list[Failure] = []
    for index, given in enumerate(_list(data, model, owner)):
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


def _list(data: object, model: Model, owner: str) -> Sequence[object]:
    if data is None:
        raise MissingFieldError(owner, "data", f"a list of {model.name} rows")
    # An iterator would be used up when the workflow is checked.
    rows = as_list(data)
    if rows is None:
        raise FieldValueError(owner, "data", came(data), f"a list, each {_MAPPING}")
    return rows


def _merged(
    given: object, everywhere: Mapping[str, Any], index: int, owner: str
) -> dict[str, Any]:
    if not is_mapping(given):
        raise FieldValueError(owner, f"data[{index}]", came(given), _MAPPING)
    for name in given:
        if not isinstance(name, str):
            problem = f"a mapping with a key of {came(name)}"
            raise FieldValueError(owner, f"data[{index}]", problem, _MAPPING)
        if name in everywhere:
            expected = "to be given for every row, or in the rows"
            raise FieldValueError(owner, name, f"both, in row {index}", expected)
    return {**cast("Mapping[str, Any]", given), **everywhere}


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
