"""Which fields of the records are wanted, and whether each combination once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ...errors import FieldValueError
from ...models import Field, Model
from ...sql import Groups
from ._model_node import Arriving
from .parameters import as_list, came, single_fields

__all__ = ["Projection", "projection"]

_NAMES: Final = "a list of field names"


class Projection(msgspec.Struct, frozen=True, eq=False):
    """What is wanted of the records.

    Attributes:
        names: Names of the fields, in order; None for all of them.
        groups: The groups of rows that agree in them, if each is wanted once.
    """

    names: tuple[str, ...] | None = None
    groups: Groups | None = None


def projection(
    model: Model, parameters: Mapping[str, Any], owner: str, arriving: Arriving
) -> Projection:
    """Read ``fields``, ``exclude`` and ``distinct``.

    Raises:
        UnknownFieldError: There is no field of a name.
        FieldValueError: They are no names, leave nothing, or contradict each other.
    """
    fields, exclude = parameters.get("fields"), parameters.get("exclude")
    if fields is not None and exclude is not None:
        raise FieldValueError(owner, "exclude", "both", "either fields or exclude")
    names = None
    if fields is not None:
        names = _names(model, fields, owner, "fields")
    elif exclude is not None:
        names = _all_but(model, exclude, owner)
    distinct = parameters.get("distinct")
    if distinct is None or distinct is False:
        return Projection(names)
    if distinct is True:
        if names is None:
            if {"fields", "exclude"}.intersection(arriving or ()):
                return Projection()
            expected = "names of fields, or True beside fields (whole rows have a key)"
            raise FieldValueError(owner, "distinct", "True alone", expected)
        return _distinct(model, names, owner)
    if names is not None:
        expected = "True beside fields or exclude"
        raise FieldValueError(owner, "distinct", came(distinct), expected)
    return _distinct(model, _names(model, distinct, owner, "distinct"), owner)


def _distinct(model: Model, names: Sequence[str], owner: str) -> Projection:
    fields: tuple[Field, ...] = single_fields(model, names, owner, "distinct")
    groups = Groups(model, fields, owner=f"{owner} with distinct")
    return Projection(groups.result.key, groups)


def _all_but(model: Model, given: object, owner: str) -> tuple[str, ...] | None:
    if as_list(given) == []:
        return None
    without = _names(model, given, owner, "exclude")
    names = tuple(name for name in model.names if name not in without)
    if not names:
        raise FieldValueError(owner, "exclude", "all of them", "some of the fields")
    return names


def _names(model: Model, given: object, owner: str, parameter: str) -> tuple[str, ...]:
    fields = as_list(given)
    if not fields:
        raise FieldValueError(owner, parameter, came(given), _NAMES)
    names = map(str, fields)
    return tuple(dict.fromkeys(model.field(name, owner).name for name in names))
