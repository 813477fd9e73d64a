"""Filters written with operators: ``(user.age > 18) & ~user.name.contains("x")``.

Rules of this file: a condition *is* the mapping that says the same, so it goes
wherever a filter goes and is checked by the same parser. Python's `and`, `or`, `not`
and ``1 < a < 2`` ask a condition for its truth; it has none and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, cast, final

from ...errors import UnknownFieldError
from ...models import Model

__all__ = ["Column", "Columns", "Condition", "columns"]


@final
class Condition(Mapping[str, Any]):
    """A filter: the mapping that says the same, to be joined by ``&``, ``|``, ``~``."""

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # whatever a filter holds
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __repr__(self) -> str:
        return f"Condition({self._given!r})"

    def __and__(self, other: Mapping[str, Any]) -> Condition:
        return Condition({"$and": [self, other]})

    def __or__(self, other: Mapping[str, Any]) -> Condition:
        return Condition({"$or": [self, other]})

    def __invert__(self) -> Condition:
        return Condition({"$not": self})

    def __bool__(self) -> NoReturn:
        msg = "a condition is neither true nor false: join with &, | and ~, in brackets"
        raise TypeError(msg)


@final
class Column:
    """A field, or a path in JSON, to be compared; a column stands for its values."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"Column({self._path!r})"

    __hash__ = None  # type: ignore[assignment]  # comparing makes a condition

    def __getitem__(self, step: str | int) -> Column:
        return Column(f"{self._path}.{step}")

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.holds("$eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.holds("$ne", other)

    def __gt__(self, other: object) -> Condition:
        return self.holds("$gt", other)

    def __ge__(self, other: object) -> Condition:
        return self.holds("$gte", other)

    def __lt__(self, other: object) -> Condition:
        return self.holds("$lt", other)

    def __le__(self, other: object) -> Condition:
        return self.holds("$lte", other)

    def __mod__(self, divisor: int) -> Remainder:
        return Remainder(self, divisor)

    def is_in(self, values: Iterable[object]) -> Condition:
        """Return the condition for one of *values*."""
        return self.holds("$in", list(values))

    def between(self, lowest: object, highest: object) -> Condition:
        """Return the condition for what is between both, or one of them."""
        return self.holds("$between", [_operand(lowest), _operand(highest)])

    def holds(self, operator: str, operand: object) -> Condition:
        """Return the condition of any operator, such as ``$icontains``."""
        return Condition({self._path: {operator: _operand(operand)}})

    def named(self) -> dict[str, str]:
        """Return what stands for this column as an operand."""
        return {"$field": self._path}


@final
class Remainder:
    """What a division leaves, to be compared for equality."""

    __slots__ = ("_column", "_divisor")

    def __init__(self, column: Column, divisor: int) -> None:
        self._column = column
        self._divisor = divisor

    __hash__ = None  # type: ignore[assignment]  # comparing makes a condition

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._column.holds("$mod", [self._divisor, other])


def _operand(value: object) -> object:
    return value.named() if isinstance(value, Column) else value


@final
class Columns:
    """The columns of a model, as attributes."""

    __slots__ = ("_model",)

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Column:
        try:
            return Column(self._model.field(name).name)
        except UnknownFieldError as error:
            raise AttributeError(str(error)) from error


def columns(model: type | Model) -> Columns:
    """Return the columns of *model*, to write filters with operators.

    Args:
        model: A class declared by ``@db.model``, or the model of one.

    Raises:
        TypeError: The class is not declared.
    """
    found = model if isinstance(model, Model) else vars(model).get("__dataflow_model__")
    if not isinstance(found, Model):
        name = cast("type", model).__name__
        msg = f"{name} is not declared: put @db.model above it"
        raise TypeError(msg)
    return Columns(found)
