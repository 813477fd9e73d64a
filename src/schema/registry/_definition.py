"""A model as JSON, and the model that another process makes of it.

Rules of this file: a definition holds what the table and the nodes depend on, and
nothing that would have to be imported: an enum is its values, a Struct is a dict. Nothing
in a definition is ever run. The definition of what `rebuild` makes is the same again,
but for defaults that only code can make: those fields must be given.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from ...errors import ModelError
from ...models import (
    SCALARS,
    TENANT,
    Digits,
    Family,
    Field,
    FieldType,
    ForeignKey,
    Kind,
    Marks,
    Model,
    NaiveDatetime,
    Native,
    declare,
    field,
)
from ...sql import SQLITE, codec

__all__ = ["checksum", "define", "rebuild"]

_FORMAT: Final = 1
_UNMARKED: Final = Marks()
_JSON_ROOTS: Final = {"dict": dict[str, Any], "list": list[Any]}
_ANNOTATIONS: Final[dict[Kind, Any]] = {
    **SCALARS,
    Kind.NAIVE_DATETIME: NaiveDatetime,
}
_FACTORIES: Final[dict[str, Any]] = {"uuid.uuid4": uuid4, "list": list, "dict": dict}
"""Factories that need no import; any other is known to its own process only."""

_LIST: Any = list  # to the type checkers, list[element] is no expression
_ANNOTATED: Any = Annotated
_LITERAL: Any = Literal


# -- from a model ---------------------------------------------------------------------


def define(model: Model) -> dict[str, Any]:
    """Return the definition of *model*.

    Raises:
        ModelError: Its options hold what JSON does not.
    """
    return {
        "format": _FORMAT,
        "name": model.name,
        "table": model.table,
        "key": list(model.key),
        "fields": [_defined(each) for each in model.fields],
        "unique": [list(group) for group in model.uniques],
        "indexes": [
            {"fields": list(each.fields), "name": each.name, "unique": each.is_unique}
            for each in model.indexes
        ],
        "foreign_keys": msgspec.to_builtins(model.foreign_keys),
        "options": _options(model),
    }


def checksum(definition: dict[str, Any]) -> str:
    """Return what tells *definition* from others: SHA-256 in hexadecimal."""
    return sha256(msgspec.json.encode(definition, order="sorted")).hexdigest()


def _options(model: Model) -> dict[str, Any]:
    said = {"indexes", "primary_key", "table_name", "unique"}
    given = {name: each for name, each in model.options.items() if name not in said}
    try:
        options: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(given))
    except (TypeError, msgspec.MsgspecError):
        problem = "__dataflow__ holds what JSON does not, so it cannot be registered"
        raise ModelError(model.name, None, problem) from None
    return options


def _defined(each: Field) -> dict[str, Any]:
    defined: dict[str, Any] = {"name": each.name, "type": _type(each.type)}
    marks = {
        "nullable": each.is_nullable,
        "generated": each.is_generated,
        "managed": each.is_managed,
        "defaulted": each.is_defaulted,
        "computed": each.is_computed,
    }
    defined |= {name: True for name, mark in marks.items() if mark}
    defined |= _marked(each)
    if each.default is None or each.default.is_none:
        return defined | ({} if each.default is None else {"default": None})
    if each.default.factory is None:
        return defined | {"default": _packed(each.type, each.default.value)}
    factory: Any = each.default.factory
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    module = getattr(factory, "__module__", "")
    return defined | {"factory": name if module == "builtins" else f"{module}.{name}"}


def _marked(each: Field) -> dict[str, Any]:
    """Return how a field is protected; nothing of one that is not."""
    marks: dict[str, Any] = {
        name: getattr(each.marks, name)
        for name in Marks.__struct_fields__
        if getattr(each.marks, name) != getattr(_UNMARKED, name)
    }
    if marks.get("erased") is not None:
        marks["erased"] = _packed(each.type, marks["erased"])
    return {"marks": marks} if marks else {}


def _type(type_: FieldType) -> dict[str, Any]:
    if type_.choices:
        return {"kind": Kind.LITERAL.value, "choices": list(type_.stored_choices)}
    if type_.kind is Kind.STRUCT:
        return {"kind": Kind.JSON.value, "root": "dict"}
    told: dict[str, Any] = {"kind": type_.kind.value}
    if type_.kind is Kind.JSON:
        told["root"] = type_.python_type.__name__
    if type_.element is not None:
        told["element"] = _type(type_.element)
    if type_.digits is not None:
        told["digits"] = [type_.digits.precision, type_.digits.scale]
    if type_.column is not None:
        told["column"] = type_.column
    return told


def _packed(type_: FieldType, value: object) -> Any:  # noqa: ANN401  # JSON
    encode = codec(type_, SQLITE).encode
    packed = value if encode is None else encode(value)
    return b64encode(packed).decode() if isinstance(packed, bytes) else packed


# -- and back -------------------------------------------------------------------------


def rebuild(definition: dict[str, Any]) -> Model:
    """Return the model that *definition* tells of, with a class of its own.

    Raises:
        ModelError: It was written by a later version, or by nobody of us.
    """
    name = str(definition.get("name"))
    if definition.get("format") != _FORMAT:
        problem = "its definition is of another version of dataflow: upgrade this one"
        raise ModelError(name, None, problem)
    try:
        told = definition.get("foreign_keys", [])
        foreign_keys = msgspec.convert(told, tuple[ForeignKey, ...])
        model = declare(_class(name, definition), _family(definition))
    except (LookupError, TypeError, ValueError) as error:
        problem = f"its definition in the registry cannot be read ({error})"
        raise ModelError(name, None, problem) from error
    return msgspec.structs.replace(model, foreign_keys=foreign_keys)


def _family(definition: dict[str, Any]) -> Family | None:
    """Return where tenants are kept apart, for a model whose rows do not name theirs."""
    names = {each["name"] for each in definition["fields"]}
    is_apart = definition["options"].get("multi_tenant") and TENANT not in names
    return Family(keeps_apart=True) if is_apart else None


def _class(name: str, definition: dict[str, Any]) -> type:
    fields = definition["fields"]
    options = definition["options"] | {
        "primary_key": definition["key"],
        "table_name": definition["table"],
        "unique": definition["unique"],
        "indexes": [
            {key: value for key, value in each.items() if value is not None}
            for each in definition["indexes"]
        ],
    }
    body: dict[str, Any] = {
        "__module__": __name__,
        "__dataflow__": options,
        "__annotations__": {each["name"]: _annotation(each) for each in fields},
    }
    for each in fields:
        specifier = _specifier(each)
        if specifier is not None:
            body[each["name"]] = specifier
    return type(name, (), body)


def _annotation(told: dict[str, Any]) -> Any:  # noqa: ANN401  # annotations have no type
    annotation = _bare(told["type"])
    return annotation | None if told.get("nullable") else annotation


def _bare(told: dict[str, Any]) -> Any:  # noqa: ANN401  # annotations have no type
    kind = Kind(told["kind"])
    if kind is Kind.LITERAL:
        return _LITERAL[tuple(told["choices"])]
    if kind is Kind.LIST:
        return _LIST[_bare(told["element"])]
    column = told.get("column")
    if kind is Kind.JSON:
        root = _JSON_ROOTS.get(told["root"])
        return root or _ANNOTATED[Any, Native(column or "jsonb")]
    annotation = _ANNOTATIONS[kind]
    if "digits" in told:
        annotation = _ANNOTATED[annotation, Digits(*told["digits"])]
    return annotation if column is None else _ANNOTATED[annotation, Native(column)]


def _specifier(told: dict[str, Any]) -> Any:  # noqa: ANN401  # stands for a value
    specifier = _said(told)
    if "marks" not in told:
        return specifier
    marks = dict(told["marks"])
    if marks.get("erased") is not None:
        marks["erased"] = _unpacked(told["type"], marks["erased"])
    return replace(specifier or field(), marks=Marks(**marks))


def _said(told: dict[str, Any]) -> Any:  # noqa: ANN401  # stands for a value
    if told.get("computed") or told.get("defaulted"):
        is_computed = bool(told.get("computed"))
        return field(computed=is_computed, database_default=not is_computed)
    if told.get("generated"):
        return None if told["name"] == "id" else field(default=None)
    if "factory" in told:
        factory = _FACTORIES.get(told["factory"])
        return None if factory is None else field(default_factory=factory)
    if told.get("default") is not None:
        return field(default=_unpacked(told["type"], told["default"]))
    if "default" in told:
        return field(default=None)
    return field(generated=False) if told["name"] == "id" else None


def _unpacked(told: dict[str, Any], packed: Any) -> object:  # noqa: ANN401  # JSON
    type_ = _read(_bare(told))
    if type_.kind is Kind.BYTES:
        return b64decode(packed)
    decode = codec(type_, SQLITE).decode
    return packed if decode is None else decode(packed)


def _read(annotation: Any) -> FieldType:  # noqa: ANN401  # see above
    body = {"__annotations__": {"value": annotation}}
    return declare(type("Value", (), body)).field("value").type
