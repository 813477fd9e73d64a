"""Where old rows go: a table like their own, with the time they went."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from ..models import Field, FieldType, Kind, Model, Privacy

__all__ = ["ARCHIVED", "archive_of"]

ARCHIVED: Final = "archived_at"
"""When a row was moved there."""

_SUFFIX: Final = "_archive"


def archive_of(model: Model) -> Model:
    """Return the model of the table ``<table>_archive``, which holds old rows.

    Every value may stand in it that did before. It refers to nothing, and nothing of
    it is unique but the key with the time.
    """
    name = f"{model.name}Archive"
    when = Field(model=name, name=ARCHIVED, type=FieldType(Kind.DATETIME, datetime))
    fields = [
        replace(
            each,
            model=name,
            is_unique=False,
            is_generated=False,
            is_managed=each.name == model.tenant_field,
            is_defaulted=False,
            is_computed=False,
            renamed_from=None,
        )
        for each in (*model.fields, when)
    ]
    keyed = (*model.key, ARCHIVED)
    return Model(
        name=name,
        table=f"{model.table}{_SUFFIX}",
        fields=tuple(replace(each, is_key=each.name in keyed) for each in fields),
        key=keyed,
        python_type=type(name, (), {"__module__": model.python_type.__module__}),
        tenant_field=model.tenant_field,
        is_apart=model.is_apart,
        privacy=Privacy(paths=(), hold=model.privacy.hold),
    )
