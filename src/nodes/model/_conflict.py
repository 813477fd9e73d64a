"""Which fields tell that a row is there already."""

from __future__ import annotations

from ..errors import FieldValueError
from ..models import Model

__all__ = ["conflict_fields"]


def conflict_fields(model: Model, given: object, owner: str) -> tuple[str, ...]:
    """Return the fields of a unique key; None means the model's key.

    Args:
        model: Whose fields.
        given: Their names, in any order.
        owner: What errors call the node.

    Raises:
        UnknownFieldError: A name is no field.
        FieldValueError: Together they are not unique.
    """
    if given is None:
        return model.key
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list | tuple) or not given:
        raise FieldValueError(
            owner, "key_fields", type(given).__name__, "a list of field names"
        )
    names = tuple(model.field(str(name), owner).name for name in given)
    known = _unique_keys(model)
    for key in known:
        if set(key) == set(names):
            return key
    expected = " or ".join(f"[{', '.join(key)}]" for key in known)
    came = f"[{', '.join(names)}], which is not unique"
    raise FieldValueError(owner, "key_fields", came, expected)


def _unique_keys(model: Model) -> list[tuple[str, ...]]:
    singles = [(each.name,) for each in model.fields if each.is_unique]
    indexes = [each.fields for each in model.indexes if each.is_unique]
    keys = [model.key, *singles, *model.uniques, *indexes]
    return list(dict.fromkeys(keys))
