"""What a class says about the rows that its own refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from ...errors import ModelError, nearest
from .._field import Field
from .._foreign_key import Action, ForeignKey
from ._index import check_group
from .notes import References

__all__ = ["read_foreign_keys"]

_KEYS: Final = (
    "fields",
    "references",
    "to",
    "on_delete",
    "on_update",
    "relation",
    "backref",
)


def read_foreign_keys(
    model: str,
    fields: Mapping[str, Field],
    references: Mapping[str, References],
    groups: tuple[object, ...],
) -> tuple[ForeignKey, ...]:
    """Return the foreign keys, those of single fields first.

    Args:
        model: Name of the model.
        fields: Its fields by name.
        references: What is said about single fields, by their names.
        groups: The members of ``__foreign_keys__``.

    Raises:
        ModelError: One is malformed, or its action does not suit its fields.
    """
    found = [
        _foreign_key(model, (name,), said, ()) for name, said in references.items()
    ]
    found += [_from_group(model, group) for group in groups]
    seen: set[tuple[str, ...]] = set()
    for each in found:
        _check(model, each, fields)
        if each.fields in seen:
            problem = f"{', '.join(each.fields)} refers to two models: keep one of them"
            raise ModelError(model, each.field, problem)
        seen.add(each.fields)
    return tuple(found)


def _from_group(model: str, group: object) -> ForeignKey:
    if not isinstance(group, Mapping):
        problem = (
            "__foreign_keys__ holds dicts such as {'fields': ['order_id', 'number'], "
            f"'references': 'Line'}}, not {type(group).__name__}"
        )
        raise ModelError(model, None, problem)
    given = cast("Mapping[str, Any]", group)
    for key in given:
        if key not in _KEYS:
            near = nearest(str(key), _KEYS)
            hint = (
                f"did you mean {near!r}?" if near else f"there are {', '.join(_KEYS)}"
            )
            problem = f"__foreign_keys__ knows no key {key!r}: {hint}"
            raise ModelError(model, None, problem)
    said = References(
        given.get("references"),
        given.get("on_delete", "no_action"),
        given.get("on_update", "no_action"),
        given.get("relation"),
        given.get("backref"),
    )
    fields, to = (_names(model, key, given.get(key, ())) for key in ("fields", "to"))
    return _foreign_key(model, fields, said, to)


def _names(model: str, key: str, value: object) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if isinstance(names, list | tuple):
        listed = tuple(cast("list[object]", names))
        if all(isinstance(name, str) for name in listed):
            return cast("tuple[str, ...]", listed)
    problem = f"{key!r} in __foreign_keys__ is a list of names of fields"
    raise ModelError(model, None, problem)


def _foreign_key(
    model: str, fields: tuple[str, ...], said: References, to: tuple[str, ...]
) -> ForeignKey:
    field = fields[0] if len(fields) == 1 else None
    target = said.target
    name = target.__name__ if isinstance(target, type) else target
    if not isinstance(name, str) or not name:
        came = type(name).__name__
        problem = f"references names a model, such as 'Customer', and is {came}"
        raise ModelError(model, field, problem)
    name, *steps = name.split(".")
    if not name or len(steps) > 1 or (steps and (to or not steps[0])):
        problem = f"references is 'Model' or 'Model.field', not {said.target!r}"
        raise ModelError(model, field, problem)
    return ForeignKey(
        fields=fields,
        target=name,
        to=to or tuple(steps),
        on_delete=_action(model, field, "on_delete", said.on_delete),
        on_update=_action(model, field, "on_update", said.on_update),
        relation=_relation(model, field, "relation", said.relation),
        backref=_relation(model, field, "backref", said.backref),
    )


def _action(model: str, field: str | None, word: str, given: object) -> Action:
    try:
        return Action(str(given))
    except ValueError:
        near = nearest(str(given), tuple(Action))
        hint = (
            f"did you mean {str(near)!r}?" if near else f"there are {', '.join(Action)}"
        )
        raise ModelError(model, field, f"{word} cannot be {given!r}: {hint}") from None


def _relation(model: str, field: str | None, word: str, given: object) -> str | None:
    if given is None:
        return None
    if isinstance(given, str) and given and "." not in given and given[0] not in "$_":
        return given
    problem = f"{word} is a name without dots that begins with a letter, not {given!r}"
    raise ModelError(model, field, problem)


def _check(model: str, foreign_key: ForeignKey, fields: Mapping[str, Field]) -> None:
    actions = foreign_key.on_delete, foreign_key.on_update
    check_group(model, foreign_key.fields, fields)
    for name in foreign_key.fields:
        field = fields[name]
        if field.type.is_compound:
            problem = f"{field.type.describe()} refers to nothing: hold a key instead"
            raise ModelError(model, name, problem)
        if Action.SET_NULL in actions and not field.is_nullable:
            problem = "set_null needs a field that may be None: declare it `| None`"
            raise ModelError(model, name, problem)
