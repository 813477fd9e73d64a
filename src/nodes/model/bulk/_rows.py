"""Rows that a bulk node is given: checked one by one, grouped by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, cast, final

import msgspec

from ....errors import DataFlowError, FieldValueError, ParameterError
from ....models import Model
from ..parameters import came, is_mapping

__all__ = ["Failure", "Row", "RowReader", "batches"]

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


@final
class RowReader:
    """Checks rows, one by one.

    Args:
        model: What the rows are.
        everywhere: Values that go into every row.
        check: Returns the values of one row, given what errors call it.
        owner: What errors call the node.
    """

    def __init__(
        self,
        model: Model,
        everywhere: Mapping[str, Any],
        check: Callable[[dict[str, Any], str], dict[str, Any]],
        owner: str,
    ) -> None:
        for name in everywhere:
            model.field(name, owner)
        self._everywhere = everywhere
        self._check = check
        self._owner = owner

    def read(self, given: object, index: int) -> Row:
        """Return the row at a place in the data.

        Raises:
            ParameterError: It cannot be stored; the error names the place.
        """
        values = _merged(given, self._everywhere, index, self._owner)
        names = tuple(sorted(values))
        return Row(index, self._check(values, f"{self._owner} data[{index}]"), names)

    def read_each(
        self, data: Iterable[object], start: int = 0, *, keep_going: bool = False
    ) -> tuple[list[Row], list[Failure]]:
        """Return the rows that can be stored, and what is wrong with the others.

        Args:
            data: What the sender gave.
            start: Place of the first of them.
            keep_going: Collect what is wrong instead of raising the first of it.

        Raises:
            ParameterError: A row cannot be stored.
        """
        rows: list[Row] = []
        failures: list[Failure] = []
        for index, given in enumerate(data, start):
            try:
                rows.append(self.read(given, index))
            except ParameterError as error:
                if not keep_going:
                    raise
                failures.append(Failure(index, error))
        return rows, failures


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
