"""What a class says of the persons whose data its rows hold.

It stands in ``__dataflow__``: ``subject``, ``erasure``, ``retention``, ``legal_hold``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ...errors import ModelError, nearest
from .._field import Field
from .._privacy import Privacy, Retention
from ..types._kind import Kind

__all__ = ["read_privacy"]

_ERASURES: Final = ("delete", "anonymise")
_ACTIONS: Final = ("delete", "archive", "anonymise")
_RETENTION: Final = ("after_days", "field", "action")
_TIMES: Final = frozenset({Kind.DATETIME, Kind.NAIVE_DATETIME, Kind.DATE})
_MOST_DAYS: Final = 365 * 1000


def read_privacy(
    model: str, given: Mapping[str, Any], fields: Mapping[str, Field]
) -> Privacy:
    """Return what ``__dataflow__`` says.

    Args:
        model: Name of the class.
        given: ``__dataflow__``.
        fields: Those of the model.

    Raises:
        ModelError: It cannot be understood, or names a field that does not fit.
    """
    is_subject, paths = _subject(model, given.get("subject"))
    erasure, reason = _erasure(model, given.get("erasure"))
    return Privacy(
        is_subject=is_subject,
        paths=paths,
        erasure=erasure,
        reason=reason,
        retention=_retention(model, given.get("retention"), fields),
        hold=_hold(model, given.get("legal_hold"), fields),
    )


def _subject(model: str, said: object) -> tuple[bool, tuple[str, ...] | None]:
    if said is None:
        return False, None
    if isinstance(said, bool):
        return said, ()
    names = (said,) if isinstance(said, str) else said
    if isinstance(names, list | tuple):
        listed = cast("Sequence[object]", names)
        if listed and all(isinstance(each, str) and each for each in listed):
            return False, tuple(cast("Sequence[str]", listed))
    problem = (
        "__dataflow__['subject'] is True where each row is a person, the name of the "
        "relation that leads to one, a list of such names, or False"
    )
    raise ModelError(model, None, problem)


def _erasure(model: str, said: object) -> tuple[str | None, str | None]:
    if said is None or (isinstance(said, str) and said in _ERASURES):
        return said, None
    if isinstance(said, Mapping):
        told = cast("Mapping[object, object]", said)
        reason = told.get("keep")
        if set(told) == {"keep"} and isinstance(reason, str) and reason.strip():
            return "keep", reason
    near = nearest(said, _ERASURES) if isinstance(said, str) else None
    hint = f"did you mean {near!r}?" if near else "another is not known"
    problem = (
        "__dataflow__['erasure'] is 'delete', 'anonymise', or {'keep': 'the reason'}: "
        f"{hint}"
    )
    raise ModelError(model, None, problem)


def _retention(
    model: str, said: object, fields: Mapping[str, Field]
) -> Retention | None:
    if said is None:
        return None
    if not isinstance(said, Mapping):
        problem = (
            "__dataflow__['retention'] is a dict, such as {'after_days': 90, "
            "'field': 'created_at', 'action': 'delete'}"
        )
        raise ModelError(model, None, problem)
    told = cast("Mapping[str, Any]", said)
    for key in told:
        if key not in _RETENTION:
            near = nearest(str(key), _RETENTION)
            hint = f"did you mean {near!r}?" if near else ", ".join(_RETENTION)
            problem = f"__dataflow__['retention'] knows no {key!r}: {hint}"
            raise ModelError(model, None, problem)
    days, action = told.get("after_days"), told.get("action", "delete")
    if not isinstance(days, int) or isinstance(days, bool) or not 0 < days < _MOST_DAYS:
        problem = "__dataflow__['retention']['after_days'] is a number of days from 1"
        raise ModelError(model, None, problem)
    if action not in _ACTIONS:
        near = nearest(str(action), _ACTIONS)
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(_ACTIONS)}"
        problem = f"__dataflow__['retention']['action'] is no {action!r}: {hint}"
        raise ModelError(model, None, problem)
    field = _field(model, "retention", told.get("field"), fields)
    if field.type.kind not in _TIMES:
        problem = (
            f"a retention counts from a datetime or a date, not {field.describe()}"
        )
        raise ModelError(model, field.name, problem)
    return Retention(field.name, days, action)


def _hold(model: str, said: object, fields: Mapping[str, Field]) -> str | None:
    if said is None:
        return None
    field = _field(model, "legal_hold", said, fields)
    if field.type.kind is not Kind.BOOL:
        problem = f"a legal hold is a bool, not {field.describe()}"
        raise ModelError(model, field.name, problem)
    return field.name


def _field(model: str, option: str, name: object, fields: Mapping[str, Field]) -> Field:
    if isinstance(name, str) and name in fields:
        return fields[name]
    near = nearest(name, tuple(fields)) if isinstance(name, str) else None
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(fields)}"
    problem = f"__dataflow__[{option!r}] names a field of the model: {hint}"
    raise ModelError(model, None, problem)
