"""What a class says beside its fields: ``__dataflow__`` and its like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec

from ...errors import ModelError, nearest
from .._model import Index
from ._name import MAX_NAME_BYTES

__all__ = ["Options", "read_options"]

_KNOWN: Final = (
    *("audit", "erasure", "foreign_keys", "indexes", "legal_hold", "multi_tenant"),
    *("primary_key", "protect", "renamed_from", "retention", "soft_delete", "subject"),
    *("table_name", "timestamps", "unique", "versioned"),
)
_LATER: Final = ("audit_log",)
_AUDITS: Final = ("off", "summary", "changes", "full")
_INDEX_KEYS: Final = ("columns", "fields", "name", "unique")


class Options(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a class says beside its fields; names are not checked yet.

    Attributes:
        key: Names of the key fields; empty when it does not say.
        table: Name of the table, or None.
        has_timestamps: Whether both managed timestamps are added.
        has_tenants: Whether each row belongs to a tenant.
        audit: How much of each change is recorded.
        keeps_deleted: Whether deleted rows are kept, and marked.
        is_versioned: Whether changes of a row are counted.
        uniques: Groups of names that no two rows share.
        indexes: Indexes asked for.
        foreign_keys: Foreign keys of several fields, as written.
        given: ``__dataflow__`` as written.
    """

    key: tuple[str, ...] = ()
    table: str | None = None
    has_timestamps: bool = False
    has_tenants: bool = False
    audit: str = "off"
    keeps_deleted: bool = False
    is_versioned: bool = False
    uniques: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[object, ...] = ()
    given: Mapping[str, Any] = {}


def read_options(cls: type) -> Options:
    """Read the options of *cls*; it inherits all but the name of the table.

    Raises:
        ModelError: An option is unknown, malformed, or not provided.
    """
    model, given = cls.__name__, _given(cls)
    _refuse_unknown(model, given)
    _check_renamed_from(model, given.get("renamed_from"))
    uniques = _sequence(model, "unique", given.get("unique", ()))
    indexes = (
        *_sequence(model, "indexes", given.get("indexes", ())),
        *_sequence(model, "__indexes__", getattr(cls, "__indexes__", ())),
    )
    return Options(
        key=_names(model, "primary_key", given.get("primary_key", ())),
        table=_table(cls),
        has_timestamps=_flag(model, "timestamps", given.get("timestamps", False)),
        audit=_level(model, given.get("audit", "off")),
        keeps_deleted=_flag(model, "soft_delete", given.get("soft_delete", False)),
        is_versioned=_flag(model, "versioned", given.get("versioned", False)),
        has_tenants=_flag(model, "multi_tenant", given.get("multi_tenant", False)),
        uniques=tuple(_names(model, "unique", each) for each in uniques),
        indexes=tuple(_index(model, each) for each in indexes),
        foreign_keys=(
            *_sequence(model, "foreign_keys", given.get("foreign_keys", ())),
            *_sequence(model, "__foreign_keys__", getattr(cls, "__foreign_keys__", ())),
        ),
        given=MappingProxyType(given),
    )


def _given(cls: type) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own: Any = vars(base).get("__dataflow__", {})
        if not isinstance(own, Mapping):
            msg = "__dataflow__ is a dict of options, such as {'timestamps': True}"
            raise ModelError(cls.__name__, None, msg)
        given.update(cast("Mapping[str, Any]", own))
    for of_table in ("renamed_from", "table_name"):
        if of_table not in vars(cls).get("__dataflow__", {}):
            given.pop(of_table, None)
    return given


def _refuse_unknown(model: str, given: Mapping[str, Any]) -> None:
    for option, value in given.items():
        if option in _LATER:
            if value:
                msg = (
                    f"this version does not provide {option!r}, and leaving it out "
                    "silently would be unsafe: remove it from __dataflow__"
                )
                raise ModelError(model, None, msg)
        elif option not in _KNOWN:
            raise ModelError(model, None, _unknown("option", option, _KNOWN))


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
    return f"__dataflow__ knows no {what} {name!r}: {hint}"


def _flag(model: str, option: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ModelError(model, None, f"__dataflow__[{option!r}] is True or False")


def _level(model: str, value: object) -> str:
    if isinstance(value, str) and value in _AUDITS:
        return value
    near = nearest(value, _AUDITS) if isinstance(value, str) else None
    hint = f"did you mean {near!r}?" if near else f"one of {', '.join(_AUDITS)}"
    raise ModelError(model, None, f"__dataflow__['audit'] is a level: {hint}")


def _check_renamed_from(model: str, name: object) -> None:
    if name is not None and not (isinstance(name, str) and name):
        problem = "renamed_from is the name of the table before, a str"
        raise ModelError(model, None, problem)


def _table(cls: type) -> str | None:
    own = vars(cls)
    names = {own.get("__tablename__"), own.get("__dataflow__", {}).get("table_name")}
    names.discard(None)
    if len(names) > 1:
        msg = "__tablename__ and __dataflow__['table_name'] disagree: keep one of them"
        raise ModelError(cls.__name__, None, msg)
    for name in names:
        if not isinstance(name, str):
            msg = f"the name of a table is a str, not {type(name).__name__}"
            raise ModelError(cls.__name__, None, msg)
        return name
    return None


def _sequence(model: str, option: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return tuple(cast("Sequence[Any]", value))
    raise ModelError(model, None, f"{option} is a list, not {type(value).__name__}")


def _names(model: str, option: str, value: object) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else _sequence(model, option, value)
    if all(isinstance(name, str) for name in names):
        return names
    raise ModelError(model, None, f"{option} names fields: each is a str")


def _index(model: str, value: object) -> Index:
    if not isinstance(value, Mapping):
        return Index(_names(model, "indexes", value))
    index = cast("Mapping[str, Any]", value)
    for key in index:
        if key not in _INDEX_KEYS:
            raise ModelError(model, None, _unknown("key of an index", key, _INDEX_KEYS))
    fields = _names(model, "indexes", index.get("fields", index.get("columns", ())))
    is_unique = _flag(model, "indexes", index.get("unique", False))
    return Index(fields, _index_name(model, index.get("name")), is_unique)


def _index_name(model: str, name: object) -> str | None:
    if name is None:
        return None
    if isinstance(name, str) and 1 <= len(name.encode()) <= MAX_NAME_BYTES:
        return name
    problem = f"the name of an index is a str of 1 to {MAX_NAME_BYTES} bytes"
    raise ModelError(model, None, problem)
