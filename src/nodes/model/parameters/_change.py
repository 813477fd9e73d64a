"""One change for many rows: values, and what is computed from the stored ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from ....errors import FieldValueError
from ....models import Field, MismatchError, Model
from ....sql import Arithmetic, Operator, operand_type, operators
from ._options import is_mapping
from ._values import refuse_owned, stamp

__all__ = ["read_change"]

_SET: Final = "$set"


def read_change(model: Model, given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Return what each field becomes: a value, or `Arithmetic`; the time is set.

    ``{"$set": value}`` is the value itself. A dict for a field that holds dicts (JSON,
    a Struct) or a list is always a value, whatever its keys.

    Args:
        model: What the rows are.
        given: ``{"price": 3, "stock": {"$inc": 1}}``.
        owner: What errors call the node.

    Raises:
        UnknownFieldError: A name is no field.
        FieldValueError: A value does not fit its field, or an operator its type.
    """
    change = {name: _read(model, name, value, owner) for name, value in given.items()}
    if change and model.updated_field is not None:
        stamp(change, (model.updated_field,))
    return change


def _read(model: Model, name: str, value: object, owner: str) -> Any:  # noqa: ANN401
    if name in (_SET, *Operator):
        example = f'{{"{model.names[-1]}": {{"{name}": ...}}}}'
        expected = f"its place behind a field, as in {example}"
        raise FieldValueError(owner, name, "before it", expected)
    field = model.field(name, owner)
    refuse_owned(model, name, owner)
    if field.type.is_compound or not _is_operation(value):
        return field.check(value, owner)
    if len(value) != 1:
        raise FieldValueError(owner, name, f"{len(value)} of them", "one operator")
    ((operator, operand),) = value.items()
    if operator == _SET:
        return field.check(operand, owner)
    return _computed(field, operator, operand, owner)


def _computed(field: Field, operator: str, operand: object, owner: str) -> Arithmetic:
    known = operators(field.type)
    if operator not in known:
        words = " or ".join((_SET, *known))
        expected = f"{field.describe()}, or {words} of one"
        raise FieldValueError(owner, field.name, f"{operator!r}", expected)
    how = Operator(operator)
    try:
        checked = operand_type(field.type, how).check(operand)
    except MismatchError as error:
        place = f"{field.name}.{operator}"
        raise FieldValueError(owner, place, error.came, error.expected) from None
    return Arithmetic(field, how, checked)


def _is_operation(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether *value* is ``{"$inc": 1}``, rather than no value of any plain field."""
    return (
        is_mapping(value)
        and bool(value)
        and all(isinstance(name, str) and name.startswith("$") for name in value)
    )
