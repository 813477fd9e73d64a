"""The columns of a model, to be compared: ``User.age > 18``.

Rules of this file: comparing makes a `Condition`, whatever is compared; the parser
checks it when it is used. What a column may be compared with is known to type checkers
where the class says ``age: Column[int]``; where it says ``age: int`` they take it for
a number, and the same works at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Self, TypeVar, cast, final, overload

from ...errors import UnknownFieldError
from ...models import FieldAttribute, Model, written_in
from ._condition import Condition

__all__ = ["Column", "Columns", "attach_columns", "columns"]

T = TypeVar("T")
E = TypeVar("E")


@final
class Column(FieldAttribute, Generic[T]):
    """A field, or a path in JSON, to be compared; a column stands for its values.

    As an attribute of a class it is the column there, and the default on an instance.
    As an annotation, ``age: Column[int]`` declares what ``age: int`` does.

    Args:
        path: Name of the field, and keys behind dots.
        written: What stood behind the annotation.
    """

    __slots__ = ("_path", "_written")

    def __init__(self, path: str, written: object = FieldAttribute.NOT_WRITTEN) -> None:
        self._path = path
        self._written = written

    def __repr__(self) -> str:
        return f"Column({self._path!r})"

    @property
    def written(self) -> Any:  # noqa: ANN401  # a default of any type
        """What stood behind the annotation, or `NOT_WRITTEN`."""
        return self._written

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type, /) -> T: ...
    def __get__(self, instance: object, owner: type, /) -> Any:
        if instance is None:
            return self
        if self._written is self.NOT_WRITTEN:
            msg = f"{owner.__name__!r} object has no attribute {self._path!r}"
            raise AttributeError(msg)
        return self._written

    __hash__ = None  # type: ignore[assignment]  # comparing makes a condition
    # By `__getitem__` alone it would be an endless sequence.
    __iter__ = None
    __contains__ = None

    def __getitem__(self, step: str | int) -> Column[Any]:
        return Column(f"{self._path}.{step}")

    # -- values of any type -----------------------------------------------------

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.holds("$eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.holds("$ne", other)

    def __gt__(self, other: T | Column[Any]) -> Condition:
        return self.holds("$gt", other)

    def __ge__(self, other: T | Column[Any]) -> Condition:
        return self.holds("$gte", other)

    def __lt__(self, other: T | Column[Any]) -> Condition:
        return self.holds("$lt", other)

    def __le__(self, other: T | Column[Any]) -> Condition:
        return self.holds("$lte", other)

    def is_in(self, values: Iterable[T | None]) -> Condition:
        """Return the condition for one of *values*; None among them means NULL."""
        return self.holds("$in", list(values))

    in_ = is_in

    def not_in(self, values: Iterable[T | None]) -> Condition:
        """Return the condition for none of *values*."""
        return self.holds("$nin", list(values))

    def is_null(self) -> Condition:
        """Return the condition for NULL."""
        return self.holds("$null", True)  # noqa: FBT003  # the operand

    def is_not_null(self) -> Condition:
        """Return the condition for anything but NULL."""
        return self.holds("$null", False)  # noqa: FBT003  # the operand

    def between(self, lowest: T | Column[Any], highest: T | Column[Any]) -> Condition:
        """Return the condition for what is between both, or one of them."""
        return self.holds("$between", [_operand(lowest), _operand(highest)])

    def holds(self, operator: str, operand: object) -> Condition:
        """Return the condition of any operator, such as ``$icontains``."""
        return Condition({self._path: {operator: _operand(operand)}})

    def named(self) -> dict[str, str]:
        """Return what stands for this column as an operand."""
        return {"$field": self._path}

    # -- numbers ----------------------------------------------------------------

    def __mod__(self: Column[int] | Column[int | None], divisor: int) -> Remainder:
        return Remainder(self, divisor)

    # -- text -------------------------------------------------------------------

    def contains(self: _Text, text: str, *, any_case: bool = False) -> Condition:
        """Return the condition for text with *text* in it."""
        return self.holds("$icontains" if any_case else "$contains", text)

    def starts_with(self: _Text, text: str, *, any_case: bool = False) -> Condition:
        """Return the condition for text that begins with *text*."""
        return self.holds("$istartsWith" if any_case else "$startsWith", text)

    def ends_with(self: _Text, text: str, *, any_case: bool = False) -> Condition:
        """Return the condition for text that ends with *text*."""
        return self.holds("$iendsWith" if any_case else "$endsWith", text)

    def like(self: _Text, pattern: str, *, any_case: bool = False) -> Condition:
        """Return the condition for text like *pattern*: ``%`` any, ``_`` one sign."""
        return self.holds("$ilike" if any_case else "$like", pattern)

    def matches(self: _Text, pattern: str, *, any_case: bool = False) -> Condition:
        """Return the condition for text in which *pattern*, an expression, is found."""
        options = {"$options": "i"} if any_case else {}
        return Condition({self._path: {"$regex": pattern, **options}})

    # -- lists ------------------------------------------------------------------

    def has_all(self: _Lists[E], values: Iterable[E]) -> Condition:
        """Return the condition for a list with each of *values* in it."""
        return self.holds("$all", list(values))

    def has_any(self: _Lists[E], values: Iterable[E]) -> Condition:
        """Return the condition for a list with at least one of *values* in it."""
        return self.holds("$overlap", list(values))

    def has_only(self: _Lists[E], values: Iterable[E]) -> Condition:
        """Return the condition for a list with nothing but *values* in it."""
        return self.holds("$containedBy", list(values))

    def has_element(self: _Lists[Any], condition: Mapping[str, Any]) -> Condition:
        """Return the condition for a list with an element such as ``{"$gt": 3}``."""
        return self.holds("$elemMatch", condition)

    def has_size(self: _Lists[Any], size: int | Mapping[str, Any]) -> Condition:
        """Return the condition for a list of *size* elements, or ``{"$gt": 3}``."""
        return self.holds("$size", size)

    # -- JSON -------------------------------------------------------------------

    def has_key(self, key: str) -> Condition:
        """Return the condition for JSON with *key* in it."""
        return self.holds("$hasKey", key)


_Text = Column[str] | Column[str | None]
_Lists = Column[list[E]] | Column[list[E] | None]


@final
class Remainder:
    """What a division leaves, to be compared for equality."""

    __slots__ = ("_column", "_divisor")

    def __init__(self, column: Column[Any], divisor: int) -> None:
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

    def __getattr__(self, name: str) -> Column[Any]:
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


def attach_columns(cls: type, model: Model) -> None:
    """Give *cls* a column for each field of *model*, as attributes.

    What is written behind an annotation stays known, to later declarations too. An
    attribute that is no field, such as a method, is left alone.
    """
    annotated = {name for base in cls.__mro__ for name in vars(base).get(_NOTES, ())}
    for name in model.names:
        if name in annotated or not hasattr(cls, name):
            setattr(cls, name, Column[Any](name, written_in(cls, name)))


_NOTES = "__annotations__"
