"""Schema: the tables of the models in the database, and the shape of what is there.

Making the table of a model is all that every program needs; the rest is imported when it
is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._table import ensure_table, table_statements, tables_statements

if TYPE_CHECKING:
    from ._declared import shape_of, table_shape
    from ._shape import (
        Check,
        Column,
        EnumType,
        ForeignKey,
        IndexPart,
        Key,
        Schema,
        TableIndex,
        TableShape,
        Unique,
        View,
    )
    from .adopting import (
        Adopted,
        Related,
        adopt,
        described,
        model_name,
        model_source,
        relate,
    )
    from .reading import read_schema
    from .registry import (
        Drift,
        Entry,
        checksum,
        define,
        drift,
        entries,
        rebuild,
        register,
    )

__all__ = [
    "Adopted",
    "Check",
    "Column",
    "Drift",
    "Entry",
    "EnumType",
    "ForeignKey",
    "IndexPart",
    "Key",
    "Related",
    "Schema",
    "TableIndex",
    "TableShape",
    "Unique",
    "View",
    "adopt",
    "checksum",
    "define",
    "described",
    "drift",
    "ensure_table",
    "entries",
    "model_name",
    "model_source",
    "read_schema",
    "rebuild",
    "register",
    "relate",
    "shape_of",
    "table_shape",
    "table_statements",
    "tables_statements",
]

_PLACES: Final = {
    "_declared": "shape_of table_shape",
    "_shape": "Check Column EnumType ForeignKey IndexPart Key Schema TableIndex TableShape Unique View",
    "adopting": "Adopted Related adopt described model_name model_source relate",
    "reading": "read_schema",
    "registry": "Drift Entry checksum define drift entries rebuild register",
}
_HOMES: Final = {
    name: home for home, names in _PLACES.items() for name in names.split()
}


if not TYPE_CHECKING:  # or checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:  # noqa: ANN401  # each of its own type
        """Import what is asked for; see PEP 562."""
        home = _HOMES.get(name)
        if home is None:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return found
