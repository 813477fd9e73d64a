"""Which fields tell that a row is there already."""

from __future__ import annotations

from ....errors import FieldValueError
from ....models import Model
from ._options import as_list, came

__all__ = ["conflict_fields"]


def conflict_fields(
    model: Model, given: object, owner: str, name: str
) -> tuple[str, ...]:
    """Return the fields of a unique key; None means the model's key.

    Args:
        model: Whose fields.
        given: Their names, in any order.
        owner: What errors call the node.
        name: The parameter they came by.

    Raises:
        UnknownFieldError: A name is no field.
        FieldValueError: Together they are not unique.
    """
    if given is None:
        return model.key
    fields = [given] if isinstance(given, str) else as_list(given)
    if not fields:
        raise FieldValueError(owner, name, came(given), "a list of field names")
    names = tuple(model.field(str(field), owner).name for field in fields)
    known = _unique_keys(model)
    for key in known:
        if set(key) == set(names):
            return key
    expected = " or ".join(f"[{', '.join(key)}]" for key in known)
    problem = f"[{', '.join(names)}], which is not unique"
    raise FieldValueError(owner, name, problem, expected)


def _unique_keys(model: Model) -> list[tuple[str, ...]]:
    singles = [(each.name,) for each in model.fields if each.is_unique]
    indexes = [each.fields for each in model.indexes if each.is_unique]
    keys = [model.key, *singles, *model.uniques, *indexes]
    return list(dict.fromkeys(keys))
