"""From a class to a model."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Final

import msgspec

from ...errors import ModelError, nearest
from .._family import Family
from .._field import Default, Field, Marks
from .._foreign_key import ForeignKey
from .._model import Model
from ..types._digits import Digits
from ..types._kind import Kind
from ..types._mismatch import MismatchError
from ..types._type import FieldType
from ._annotation import AnnotationError, read_annotation
from ._foreign_keys import read_foreign_keys
from ._index import check_group, collect_indexes, with_foreign_keys
from ._key import with_key
from ._life import DELETED, VERSION, with_life
from ._name import check_names, check_table, table_name
from ._options import Options, read_options
from ._privacy import read_privacy
from ._source import read_source
from ._tenancy import TENANT, refuse_in_key, with_tenant, without_tenant
from .notes import References, Specifier, find_pii, find_references

__all__ = ["declare"]

MASKS: Final = ("full", "partial", "null")
"""Ways to show a value to who may not see it."""

_CREATED: Final = "created_at"
_UPDATED: Final = "updated_at"
_TIMESTAMP: Final = FieldType(Kind.DATETIME, datetime)


def declare(cls: type, family: Family | None = None) -> Model:
    """Return the model that *cls* declares; the class itself is left as it is.

    A class without fields is a model too: its rows have an ``id`` and no more.

    Args:
        cls: The class.
        family: Among which the models are that it refers to; whoever owns it adds
            the model. Without one, it refers to none but itself.

    Raises:
        ModelError: Something in it cannot be stored as written.
    """
    _check_class(cls)
    name, options, source = cls.__name__, read_options(cls), read_source(cls)
    specifiers = {field: specifier for field, (_, specifier) in source.items()}
    declared = {
        field: _field(name, field, *written) for field, written in source.items()
    }
    given = [each for each, said in specifiers.items() if said.is_given]
    declared_key = _declared_key(name, specifiers, options)
    if declared_key:
        check_group(name, declared_key, declared)
    fields, key = with_key(name, declared, declared_key, given)
    fields = _with_timestamps(name, fields, options)
    is_apart = options.has_tenants and family is not None and family.keeps_apart
    # Who declares the column has it, also where it says the same in every row.
    has_column = options.has_tenants and (not is_apart or TENANT in fields)
    if has_column:
        refuse_in_key(name, key)
        fields = with_tenant(name, fields)
    fields = with_life(name, fields, options)
    check_names(name, fields)
    indexes, uniques = collect_indexes(name, fields, key, specifiers, options)
    if has_column:
        indexes, uniques = without_tenant(name, indexes, uniques)
    foreign_keys = _foreign_keys(name, fields, source, options)
    indexes = with_foreign_keys(indexes, (key, *uniques), foreign_keys)
    return Model(
        name=name,
        table=_table(name, options),
        fields=tuple(_with_unique(fields, uniques)),
        key=key,
        python_type=cls,
        generated_key=key[0] if fields[key[0]].is_generated else None,
        indexes=indexes,
        uniques=uniques,
        options=options.given,
        created_field=_managed(fields, _CREATED),
        updated_field=_managed(fields, _UPDATED),
        audit=options.audit,
        privacy=read_privacy(name, options.given, fields),
        tenant_field=TENANT if has_column else None,
        is_apart=is_apart,
        deleted_field=DELETED if options.keeps_deleted else None,
        version_field=VERSION if options.is_versioned else None,
        foreign_keys=foreign_keys,
        family=family or Family(),
    )


def _table(model: str, options: Options) -> str:
    table = table_name(model) if options.table is None else options.table
    return check_table(model, table)


def _check_class(cls: object) -> None:
    if not isinstance(cls, type):
        raise ModelError(repr(cls), None, "a class declares a model")
    if issubclass(cls, msgspec.Struct | Enum):
        problem = "a Struct or an Enum is the type of a field: declare a plain class"
        raise ModelError(cls.__name__, None, problem)


def _field(model: str, name: str, annotation: object, specifier: Specifier) -> Field:
    try:
        digits = None if specifier.digits is None else Digits(*specifier.digits)
        type_, is_nullable = read_annotation(annotation, digits)
    except (AnnotationError, ValueError) as error:
        raise ModelError(model, name, str(error)) from None
    default = _default(model, name, type_, specifier)
    has_none = default is not None and default.is_none
    is_made = specifier.is_defaulted or specifier.is_computed
    if is_made and default is not None:
        problem = "the database has its value: leave out the default"
        raise ModelError(model, name, problem)
    if is_nullable and default is None and not is_made:
        default = Default()
    return Field(
        model=model,
        name=name,
        type=type_,
        default=default,
        is_nullable=is_nullable or has_none,
        is_unique=specifier.is_unique,
        renamed_from=specifier.renamed_from,
        is_defaulted=specifier.is_defaulted and not specifier.is_computed,
        is_computed=specifier.is_computed,
        marks=_marks(model, name, annotation, specifier, type_),
    )


def _marks(
    model: str, name: str, annotation: object, specifier: Specifier, type_: FieldType
) -> Marks:
    marks, note = specifier.marks, find_pii(annotation)
    if note is not None:
        if marks.pii is not None:
            problem = (
                "its annotation and field() both say that it is personal: keep one"
            )
            raise ModelError(model, name, problem)
        mask = marks.mask or "partial"
        marks = msgspec.structs.replace(marks, pii=note.category, mask=mask)
        if note.erased is not msgspec.UNSET:
            marks = msgspec.structs.replace(marks, erased=note.erased)
    category: Any = marks.pii
    if category is not None and not (isinstance(category, str) and category):
        problem = "the category of personal data is a word, such as 'email'"
        raise ModelError(model, name, problem)
    if marks.erased is not msgspec.UNSET and marks.erased is not None:
        try:
            marks = msgspec.structs.replace(marks, erased=type_.check(marks.erased))
        except MismatchError as error:
            problem = f"what stands in its place when it is erased {error}"
            raise ModelError(model, name, problem) from None
    if marks.mask is not None and marks.mask not in MASKS:
        near = nearest(str(marks.mask), MASKS)
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(MASKS)}"
        raise ModelError(model, name, f"there is no mask {marks.mask!r}: {hint}")
    return marks


def _default(
    model: str, name: str, type_: FieldType, specifier: Specifier
) -> Default | None:
    if specifier.has_factory:
        if specifier.has_default or not callable(specifier.default_factory):
            problem = "give a default or a default_factory (a callable), not both"
            raise ModelError(model, name, problem)
        return Default(factory=specifier.default_factory)
    if not specifier.has_default:
        return None
    if specifier.default is None:
        return Default()
    try:
        return Default(type_.check(specifier.default))
    except MismatchError as error:
        raise ModelError(model, name, f"its default {error}") from None


def _foreign_keys(
    model: str,
    fields: dict[str, Field],
    source: dict[str, tuple[Any, Specifier]],
    options: Options,
) -> tuple[ForeignKey, ...]:
    references: dict[str, References] = {}
    for name, (annotation, specifier) in source.items():
        noted = find_references(annotation)
        if noted is not None and specifier.references is not None:
            problem = "its annotation and field() both say what it refers to: keep one"
            raise ModelError(model, name, problem)
        said = noted or specifier.references
        if said is not None:
            references[name] = said
    groups = options.foreign_keys
    return read_foreign_keys(model, fields, references, groups)


def _declared_key(
    model: str, specifiers: dict[str, Specifier], options: Options
) -> tuple[str, ...]:
    marked = tuple(name for name, each in specifiers.items() if each.is_key)
    if marked and options.key and set(marked) != set(options.key):
        problem = (
            f"primary_key=True marks {', '.join(marked)}, __dataflow__ says "
            f"{', '.join(options.key)}: keep one of them"
        )
        raise ModelError(model, None, problem)
    return options.key or marked


def _with_timestamps(
    model: str, fields: dict[str, Field], options: Options
) -> dict[str, Field]:
    """Mark the managed timestamps, and add them when the options ask for them."""
    fields = dict(fields)
    for name in (_CREATED, _UPDATED):
        if name not in fields and options.has_timestamps:
            fields[name] = Field(model=model, name=name, type=_TIMESTAMP)
        field = fields.get(name)
        if field is None or field.is_key:
            continue
        if field.type.kind is Kind.DATETIME:
            fields[name] = msgspec.structs.replace(field, is_managed=True, default=None)
        elif options.has_timestamps:
            problem = f"timestamps=True makes it a datetime, not {field.describe()}"
            raise ModelError(model, name, problem)
    return fields


def _managed(fields: dict[str, Field], name: str) -> str | None:
    return name if name in fields and fields[name].is_managed else None


def _with_unique(
    fields: dict[str, Field], uniques: tuple[tuple[str, ...], ...]
) -> list[Field]:
    """Mark the fields that are unique on their own."""
    alone = {group[0] for group in uniques if len(group) == 1}
    return [
        msgspec.structs.replace(field, is_unique=field.name in alone)
        for field in fields.values()
    ]
