"""A Python module of models, written from the shape of a database.

Rules of this file: names and values of the database get into the module as literals
only, so that no name of a table can be code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from keyword import iskeyword
from typing import Final

from ...errors import ModelError
from ...models import Field, FieldType, Kind, Model, declare
from .._shape import Schema, TableShape, View
from ._adopt import Adopted, adopt
from ._name import model_name

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
    parts = [_HEAD]
    names: list[str] = []
    for table in schema.relations:
        if wanted is not None and table.full_name not in wanted:
            continue
        name = _free(model_name(table.name), names)
        lines = [*_table(table, name)]
        if not lines[-1].startswith("#"):
            names.append(name)
        parts.append("\n".join(lines) + "\n")
    parts.append(_TAIL.format(names=", ".join(names)))
    return "\n\n".join(parts)


def _free(name: str, taken: Sequence[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free


def _table(table: TableShape | View, name: str) -> Iterator[str]:
    adopted = adopt(table, name)
    for column, reason in adopted.left_out.items():
        yield f"# {table.full_name!r}.{column!r} is left out: {reason!r}"
    problem = _problem(table, adopted)
    if problem is not None or adopted.model is None:
        yield f"# {table.full_name!r} is left out: {problem!r}"
        return
    model = adopted.model
    if all(map(_is_plain, model.names)):
        yield from _class(model)
    else:
        yield from _call(model)


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
    yield ""
    for each in model.fields:
        value = _value(each)
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
    yield f"{inner}'__annotations__': {{"
    for each in model.fields:
        yield f"{inner}{_INDENT}{each.name!r}: {_annotation(each)},"
    yield f"{inner}}},"
    for each in model.fields:
        value = _value(each)
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


def _value(field: Field) -> str | None:
    """Return what stands behind the annotation, if anything."""
    if field.is_generated:
        return None if field.name == "id" else "None"
    if field.is_computed:
        return "field(computed=True)"
    if field.is_defaulted:
        return "field(database_default=True)"
    return "None" if field.default is not None else None


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
