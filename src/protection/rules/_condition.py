"""The condition of a rule: a filter over who asks, and over rows old and new.

The filter language knows fields of a model. So there is a model of what a rule may
speak of: ``principal``, ``tenant``, ``context``, and each field of the protected model
twice, as ``old:name`` and ``new:name``; ``old.name`` in a rule is the first of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, cast

from msgspec.structs import replace

from ...errors import FilterError, PolicyError
from ...models import Field, FieldType, Kind, Model
from ...sql import NEW, OLD, Filter, names_in, parse

__all__ = ["ASKED", "condition", "is_about_rows", "row_columns"]

ASKED: Final = ("principal", "tenant", "context")
"""What is known of whoever asks."""

_TEXT: Final = FieldType(Kind.STR, str)
_JSON: Final = FieldType(Kind.JSON, dict)
_ROWS: Final = {"old.": OLD, "new.": NEW}


def condition(rule: str, given: Mapping[str, Any], model: Model | None) -> Filter:
    """Return the tree of a condition.

    Args:
        rule: Id of the rule, for errors.
        given: What it says.
        model: The protected model; None where rows are of no model.

    Raises:
        PolicyError: A name or a value is wrong; the nearest name is told.
    """
    written = cast("Mapping[str, Any]", _rewritten(given))
    try:
        return parse(written, _spoken_of(model))
    except FilterError as error:
        text = str(error)
        for shown, meant in _ROWS.items():
            text = text.replace(meant, shown)
        raise PolicyError(rule, f"its condition cannot be used: {text}") from None


def is_about_rows(part: Filter) -> bool:
    """Whether a condition speaks of rows, not only of whoever asks."""
    return not names_in(part).issubset(ASKED)


def row_columns(model: Model) -> Mapping[str, Field]:
    """Return what stands for each value of a row in a condition: itself."""
    return _row_columns(_spoken_of(model))


@cache
def _row_columns(spoken: Model) -> Mapping[str, Field]:
    return {each.name: each for each in spoken.fields if each.name not in ASKED}


@cache
def _spoken_of(model: Model | None) -> Model:
    name = "rule" if model is None else model.name
    asked = [
        Field(model=name, name="principal", type=_TEXT, is_nullable=True),
        Field(model=name, name="tenant", type=_TEXT, is_nullable=True),
        Field(model=name, name="context", type=_JSON, is_nullable=True),
    ]
    rows = [
        replace(field, name=f"{prefix}{field.name}", is_nullable=True)
        for field in (() if model is None else model.fields)
        for prefix in _ROWS.values()
    ]
    return Model(
        name=name,
        table=name,
        fields=(*asked, *rows),
        key=("principal",),
        python_type=object,
    )


def _rewritten(given: object) -> object:
    """Return a filter with ``old.`` and ``new.`` before names as the model has them."""
    if isinstance(given, list | tuple):
        return [_rewritten(each) for each in cast("list[object]", given)]
    if not isinstance(given, Mapping):
        return given
    written: dict[object, object] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        if name == "$field" and isinstance(value, str):
            written[name] = _name(value)
        elif isinstance(name, str):
            written[_name(name)] = _rewritten(value)
        else:
            written[name] = value
    return written


def _name(name: str) -> str:
    for shown, meant in _ROWS.items():
        if name.startswith(shown):
            return meant + name.removeprefix(shown)
    return name
