"""Groups become the text of a query and its parameters.

Rules of this file: the groups are made inside, under names of our own; what is asked of
them stands outside, so that a filter and an order mean of groups what they mean of
rows: ``SELECT … FROM (SELECT … GROUP BY …) WHERE … ORDER BY …``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._dialect import Dialect
from .._qualified import qualified
from .._statement import Statement
from ..filters import ALL, Compiler, Filter, Reference, Term, reference
from ._functions import aggregate_text
from ._groups import Groups

__all__ = ["count_groups", "select_groups"]

Columns = Mapping[str, Reference]
Decode = Callable[[Sequence[Any]], Sequence[Any]]


def select_groups(
    groups: Groups,
    columns: Columns,
    dialect: Dialect,
    where: Filter = ALL,
    *,
    having: Filter = ALL,
    order: Sequence[Term] = (),
    limit: int | None = None,
    offset: int = 0,
    decode: Decode | None = None,
) -> Statement:
    """Select groups; yields their values by name.

    Args:
        groups: What the groups are.
        columns: References to the columns of the table.
        dialect: In which SQL.
        where: Which rows are grouped.
        having: Which groups are wanted; made by `Groups.having`.
        order: In which order; made by `Groups.order`.
        limit: How many at most; None for all of them.
        offset: How many of the first are left out.
        decode: Makes the values by name; that of `Groups.decoder` by default.
    """
    rows = Compiler(dialect, columns, schema=groups.model.schema)
    inside = _grouped(groups, columns, dialect, rows.where(where))
    names = _names(groups)
    results = {
        field.name: reference(dialect.quote(name), field.type, dialect)
        for field, name in zip(groups.result.fields, names, strict=True)
    }
    outside = Compiler(dialect, results, rows.parameters)
    listed = ", ".join(map(dialect.quote, names))
    text = f"SELECT {listed} FROM ({inside}) AS {dialect.quote('groups')}"
    text += outside.where(having) + outside.order_by(order)
    text += outside.page(limit, offset)
    return Statement(
        text,
        outside.parameters,
        returns_rows=True,
        decode=groups.decoder(dialect) if decode is None else decode,
    )


def count_groups(
    groups: Groups, columns: Columns, dialect: Dialect, where: Filter = ALL
) -> Statement:
    """Count the groups of the rows a filter lets through."""
    compiler = Compiler(dialect, columns, schema=groups.model.schema)
    inside = _grouped(groups, columns, dialect, compiler.where(where))
    text = f"SELECT count(*) FROM ({inside}) AS {dialect.quote('groups')}"
    return Statement(text, compiler.parameters, returns_rows=True)


def _grouped(groups: Groups, columns: Columns, dialect: Dialect, where: str) -> str:
    texts = [columns[field.name].ordered for field in groups.fields]
    texts += [aggregate_text(each, columns, dialect) for each in groups.aggregates]
    listed = ", ".join(
        f"{text} AS {dialect.quote(name)}"
        for text, name in zip(texts, _names(groups), strict=True)
    )
    table = qualified(groups.model, dialect)
    text = f"SELECT {listed} FROM {table}{where}"
    if groups.fields:
        places = range(1, len(groups.fields) + 1)
        text += f" GROUP BY {', '.join(map(str, places))}"
    return text


def _names(groups: Groups) -> list[str]:
    """Name the columns of the groups: by their places, since aliases are users'."""
    fields = [f"g{place}" for place in range(len(groups.fields))]
    return fields + [f"a{place}" for place in range(len(groups.aggregates))]
