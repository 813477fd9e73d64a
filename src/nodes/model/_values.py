"""What users give as fields becomes checked values, ready to be stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from ...errors import FieldValueError, MissingFieldError
from ...models import Model
from ._options import came, is_mapping

__all__ = ["as_mapping", "changed_values", "new_values"]


def new_values(
    model: Model,
    given: Mapping[str, Any],
    owner: str,
    arriving: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the values of a new row: checked, defaults and times filled in.

    Where they are only looked at, *arriving* is not None, and defaults are not made:
    a factory may do something each time it is asked.

    Args:
        model: What the row is.
        given: Fields by name.
        owner: What errors call the node.
        arriving: Fields that will come later, so are not missing yet; None if the
            row is to be stored.

    Raises:
        UnknownFieldError: A name is no field.
        FieldValueError: A value does not fit its field.
        MissingFieldError: A field without default is absent.
    """
    values = {
        name: model.field(name, owner).check(value, owner)
        for name, value in given.items()
        # A generated key of None asks for a new one, as leaving it out does.
        if value is not None or name != model.generated_key
    }
    for field in model.fields:
        if field.name in values:
            continue
        if field.has_default:
            if arriving is None:
                values[field.name] = field.default_value()
        elif field.is_required and field.name not in (arriving or ()):
            raise MissingFieldError(owner, field.name, field.describe())
    _stamp(model, values, (model.created_field, model.updated_field))
    return values


def changed_values(
    model: Model, given: Mapping[str, Any], owner: str
) -> dict[str, Any]:
    """Return the values of a change: checked, the time of the change set.

    Raises:
        UnknownFieldError: A name is no field.
        FieldValueError: A value does not fit its field.
    """
    values = {
        name: model.field(name, owner).check(value, owner)
        for name, value in given.items()
    }
    if values:
        _stamp(model, values, (model.updated_field,))
    return values


def _stamp(model: Model, values: dict[str, Any], names: tuple[str | None, ...]) -> None:
    """Set the managed times that nobody gave."""
    missing = [name for name in names if name is not None and name not in values]
    if missing:
        now = datetime.now(UTC)
        values.update(dict.fromkeys(missing, now))


def as_mapping(value: object, owner: str, name: str) -> Mapping[str, Any]:
    """Return *value* if it is a mapping by name.

    Raises:
        FieldValueError: It is something else.
    """
    if is_mapping(value) and all(isinstance(key, str) for key in value):
        return cast("Mapping[str, Any]", value)
    raise FieldValueError(owner, name, came(value), "a mapping of names to values")
