"""A Python module of models, written from the shape of a database.

Rules of this file: names and values of the database get into the module as literals
only, so that no name of a table can be code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Final

from msgspec.structs import replace

from ...errors import ModelError
from ...models import (
    Action,
    Field,
    FieldType,
    ForeignKey,
    Kind,
    Model,
    declare,
    snake_case,
)
from .._shape import Schema, TableShape, View
from ._adopt import Adopted, adopt
from ._name import model_name
from ._relate import relate

__all__ = ["model_source"]

_NAMES: Final = {
    Kind.INT: "int",
    Kind.FLOAT: "float",
    Kind.DECIMAL: "Decimal",
    Kind.BOOL: "bool",
    Kind.STR: "str",
    Kind.BYTES: "bytes",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.DATETIME: "datetime",
    Kind.NAIVE_DATETIME: "NaiveDatetime",
    Kind.TIMEDELTA: "timedelta",
    Kind.UUID: "UUID",
}
_INDENT: Final = "    "

_HEAD: Final = '''"""Models of tables that were there, written by ``dataflow schema generate``."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from dataflow import DataFlow
from dataflow.models import Digits, NaiveDatetime, Native, field
'''
_TAIL: Final = '''
MODELS: list[type] = [{names}]


def register(db: DataFlow) -> None:
    """Declare every model of this module on *db*."""
    for model in MODELS:
        db.model(model)
'''


def model_source(schema: Schema, tables: Iterable[str] | None = None) -> str:
    """Return the text of a module with a class per table.

    What a class cannot say (views, tables without a key, columns that no field holds)
    is a comment there.

    Args:
        schema: The shape of the database.
        tables: Full names of the tables wanted; all if None.
    """
    wanted = None if tables is None else set(tables)
    found: list[tuple[TableShape | View, list[str], Model | None]] = []
    names: list[str] = []
    for table in schema.relations:
        if wanted is None or table.full_name in wanted:
            notes, model = _taken(table, names)
            found.append((table, notes, model))
            names += [] if model is None else [model.name]
    related = relate([(table, model) for table, _, model in found if model])
    parts = [_HEAD]
    for table, notes, model in found:
        lines = notes
        if model is not None:
            left_out = related.left_out.get(model.name, {})
            lines = [
                *notes,
                *_notes(table, left_out),
                *_lines(_native(related.models[model.name], table, schema.dialect)),
            ]
        parts.append("\n".join(lines) + "\n")
    parts.append(_TAIL.format(names=", ".join(names)))
    return "\n\n".join(parts)


def _notes(table: TableShape | View, left_out: Mapping[str, str]) -> list[str]:
    return [
        f"# {table.full_name!r}.{what!r} is left out: {reason!r}"
        for what, reason in left_out.items()
    ]


def _free(name: str, taken: Sequence[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free


def _taken(
    table: TableShape | View, names: Sequence[str]
) -> tuple[list[str], Model | None]:
    """Return comments about a table, and its model if a class can say it."""
    adopted = adopt(table, _free(model_name(table.name), names))
    notes, problem = _notes(table, adopted.left_out), _problem(table, adopted)
    if problem is None:
        return notes, adopted.model
    return [*notes, f"# {table.full_name!r} is left out: {problem!r}"], None


def _native(model: Model, table: TableShape | View, dialect: str) -> Model:
    """Return the model with a note on each text whose collation is not ours."""

    def noted(each: Field) -> Field:
        column = table_columns[each.name]
        is_text = each.type.kind is Kind.STR and each.type.column is None
        if dialect != "postgresql" or not is_text or column.collation == "C":
            return each
        return replace(each, type=replace(each.type, column="text"))

    table_columns = {each.name: each for each in table.columns}
    return replace(model, fields=tuple(map(noted, model.fields)))


def _lines(model: Model) -> Iterator[str]:
    return _class(model) if all(map(_is_plain, model.names)) else _call(model)


def _problem(table: TableShape | View, adopted: Adopted) -> str | None:
    if isinstance(table, View):
        return "it is a view: db.register_schema_as_models() takes it"
    if table.schema is not None:
        return "a plain name does not find it: put its schema into search_path"
    if adopted.model is None:
        return "no field can hold any of its columns"
    if not adopted.model.key:
        return "it has no key: db.register_schema_as_models() takes it"
    try:
        _declared(adopted.model)
    except ModelError as error:
        return error.problem
    return None


def _declared(model: Model) -> None:
    """Declare a class of the same names, to see whether they are taken.

    Raises:
        ModelError: They are not.
    """
    annotations = dict.fromkeys(model.names, int)
    options = {"table_name": model.table, "primary_key": list(model.key)}
    body = {"__annotations__": annotations, "__dataflow__": options}
    declare(type(model.name, (), body))


def _is_plain(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name not in _WORDS


_WORDS: Final = frozenset({*_NAMES.values(), "Annotated", "Any", "Literal", "field"})
"""Names that a field must not hide from those behind it."""


def _class(model: Model) -> Iterator[str]:
    yield f"class {model.name}:"
    yield f"{_INDENT}__tablename__ = {model.table!r}"
    yield f"{_INDENT}__dataflow__ = {_options(model)!r}"
    if groups := _groups(model):
        yield f"{_INDENT}__foreign_keys__ = {groups!r}"
    yield ""
    for each in model.fields:
        value = _value(model, each)
        behind = "" if value is None else f" = {value}"
        yield f"{_INDENT}{each.name}: {_annotation(each)}{behind}"


def _call(model: Model) -> Iterator[str]:
    """Write a class whose fields have names that are none of Python's."""
    yield f"{model.name} = type("
    yield f"{_INDENT}{model.name!r},"
    yield f"{_INDENT}(),"
    yield f"{_INDENT}{{"
    inner = _INDENT * 2
    yield f"{inner}'__module__': __name__,"
    yield f"{inner}'__tablename__': {model.table!r},"
    yield f"{inner}'__dataflow__': {_options(model)!r},"
    if groups := _groups(model):
        yield f"{inner}'__foreign_keys__': {groups!r},"
    yield f"{inner}'__annotations__': {{"
    for each in model.fields:
        yield f"{inner}{_INDENT}{each.name!r}: {_annotation(each)},"
    yield f"{inner}}},"
    for each in model.fields:
        value = _value(model, each)
        if value is not None:
            yield f"{inner}{each.name!r}: {value},"
    yield f"{_INDENT}}},"
    yield ")"


def _options(model: Model) -> dict[str, object]:
    named = {each.fields for each in model.indexes if each.is_unique}
    uniques = [list(group) for group in model.uniques if group not in named]
    indexes = [
        {"fields": list(each.fields), "name": each.name, "unique": each.is_unique}
        for each in model.indexes
    ]
    options = {"primary_key": list(model.key), "unique": uniques, "indexes": indexes}
    return {name: value for name, value in options.items() if value}


def _value(model: Model, field: Field) -> str | None:
    """Return what stands behind the annotation, if anything."""
    said = dict[str, object]()
    if (field.is_generated and field.name != "id") or field.default is not None:
        said["default"] = None
    elif field.is_computed:
        said["computed"] = True
    elif field.is_defaulted and not field.is_generated:
        said["database_default"] = True
    elif field.name == "id" and field.is_key and not field.is_generated:
        said["generated"] = False
    for key in model.foreign_keys:
        if key.fields == (field.name,):
            said |= _reference(model, key)
    if said in ({}, {"default": None}):
        return "None" if said else None
    return f"field({', '.join(f'{name}={value!r}' for name, value in said.items())})"


def _groups(model: Model) -> list[dict[str, object]]:
    """Return the foreign keys of several fields, as ``__foreign_keys__`` says them."""
    return [
        {"fields": list(key.fields), **_reference(model, key), "to": list(key.to)}
        for key in model.foreign_keys
        if len(key.fields) > 1
    ]


def _reference(model: Model, key: ForeignKey) -> dict[str, object]:
    """Return what a class says of a foreign key, without what it need not say."""
    is_single = len(key.fields) == 1
    target = f"{key.target}.{key.to[0]}" if key.to and is_single else key.target
    is_one = any({*each} <= {*key.fields} for each in (model.key, *model.uniques))
    by_default = {
        "on_delete": Action.NO_ACTION.value,
        "on_update": Action.NO_ACTION.value,
        "relation": key.fields[0].removesuffix("_id") if is_single else None,
        "backref": snake_case(model.name) if is_one else model.table,
    }
    said = {
        "on_delete": key.on_delete.value,
        "on_update": key.on_update.value,
        "relation": key.relation,
        "backref": key.backref,
    }
    told = {name: each for name, each in said.items() if each != by_default[name]}
    return {"references": target, **told}


def _annotation(field: Field) -> str:
    text = _type(field.type)
    return f"{text} | None" if field.is_nullable else text


def _type(type_: FieldType) -> str:
    if type_.kind is Kind.JSON:
        return f"Annotated[Any, Native({type_.column or 'jsonb'!r})]"
    if type_.kind is Kind.LIST and type_.element is not None:
        return f"list[{_type(type_.element)}]"
    if type_.choices:
        return f"Literal[{', '.join(map(repr, type_.choices))}]"
    notes: list[str] = []
    if type_.digits is not None:
        notes.append(f"Digits({type_.digits.precision}, {type_.digits.scale})")
    if type_.column is not None and type_.kind is not Kind.LITERAL:
        notes.append(f"Native({type_.column!r})")
    name = _NAMES[type_.kind]
    return f"Annotated[{', '.join((name, *notes))}]" if notes else name
