"""The statement that explains another one, and what its answer says.

Rules of this file: PostgreSQL writes the values of parameters into the conditions of
its plan, so literals are taken out before anybody sees it. What the plan says is read
by the names the databases give to their steps. Source: PostgreSQL, explain.c,
`ExplainNode`; sqlite.org/eqp.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from ...models import Model
from .._dialect import POSTGRESQL, Dialect
from .._statement import Statement
from ..filters import Filter, Term
from ._advice import advice
from ._explanation import Explanation

__all__ = ["explain", "explained"]


def explain(statement: Statement, dialect: Dialect, *, execute: bool) -> Statement:
    """Return the statement that asks for the plan of a query.

    Args:
        statement: The query.
        dialect: Of which database.
        execute: Whether it is carried out and timed, where that is one statement with
            the plan: on PostgreSQL.
    """
    if dialect is not POSTGRESQL:
        prefix = "EXPLAIN QUERY PLAN"
    else:
        prefix = f"EXPLAIN ({'ANALYZE, ' if execute else ''}FORMAT JSON)"
    text = f"{prefix} {statement.text}"
    return Statement(text, statement.parameters, returns_rows=True)


class _Read(msgspec.Struct, frozen=True):
    """What a plan says."""

    raw: Any
    steps: tuple[str, ...]
    indexes: tuple[str, ...]
    is_scan: bool
    is_searched: bool
    is_sorted: bool
    rows: int | None = None
    duration_s: float | None = None


def explained(
    statement: Statement,
    answer: Sequence[Sequence[Any]],
    model: Model,
    dialect: Dialect,
    *,
    where: Filter,
    order: Sequence[Term],
    is_shared: bool = False,
) -> Explanation:
    """Return what the answer to `explain` says about a query.

    Args:
        statement: The query.
        answer: The rows that `explain` gave.
        model: What it reads.
        dialect: Of which database.
        where: Its filter, for advice.
        order: Its order, likewise.
        is_shared: Whether the table has rows that are none of the asker's business:
            what is estimated of all, or counted on the way, is left out.
    """
    read = _postgresql if dialect is POSTGRESQL else _sqlite
    found = read(answer, is_shared=is_shared)
    return Explanation(
        database=dialect.name,
        sql=statement.text,
        types=tuple(map(_type_name, statement.parameters)),
        steps=found.steps,
        indexes=found.indexes,
        is_scan=found.is_scan,
        is_sorted=found.is_sorted,
        hints=advice(
            model,
            where,
            order,
            is_searched=found.is_searched,
            is_sorted=found.is_sorted,
        ),
        raw=found.raw,
        rows=found.rows,
        duration_s=found.duration_s,
    )


def _type_name(value: object) -> str:
    if isinstance(value, list):
        kinds = dict.fromkeys(map(_type_name, cast("list[object]", value)))
        return f"list[{' | '.join(kinds)}]" if kinds else "list"
    return "None" if value is None else type(value).__name__


# -- PostgreSQL ---------------------------------------------------------------------

_LITERAL: Final = re.compile(
    r"""("(?:[^"]|"")*")            # a quoted name stays
      | E?'(?:[^']|'')*'            # text, and whatever is written as text
      | (?<![\w$.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w"])
    """,
    re.VERBOSE,
)


def _postgresql(answer: Sequence[Sequence[Any]], *, is_shared: bool) -> _Read:
    (whole,) = _without_literals(answer[0][0])
    told = _without_numbers(whole) if is_shared else whole
    nodes = list(_nodes(told["Plan"], 0))
    kinds = [node["Node Type"] for node, _ in nodes]
    names = [node["Index Name"] for node, _ in nodes if "Index Name" in node]
    milliseconds = whole.get("Execution Time")
    return _Read(
        raw=told,
        steps=tuple("  " * depth + _step(node) for node, depth in nodes),
        indexes=tuple(dict.fromkeys(names)),
        is_scan="Seq Scan" in kinds,
        is_searched=any("Index Cond" in node for node, _ in nodes),
        is_sorted="Sort" in kinds,
        rows=None if milliseconds is None else int(whole["Plan"]["Actual Rows"]),
        duration_s=None if milliseconds is None else milliseconds / 1_000,
    )


def _without_literals(value: Any, name: str = "") -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: _without_literals(each, key) for key, each in pairs}
    if isinstance(value, list):
        members = cast("list[object]", value)
        return [_without_literals(each, name) for each in members]
    is_condition = name.endswith(("Cond", "Filter", "Key", "Output"))
    if is_condition and isinstance(value, str):
        return _LITERAL.sub(lambda found: found[1] or "?", value)
    return value


def _without_numbers(value: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {
            key: _without_numbers(each)
            for key, each in pairs
            if isinstance(each, bool) or not isinstance(each, int | float)
        }
    if isinstance(value, list):
        return [*map(_without_numbers, cast("list[object]", value))]
    return value


def _nodes(
    node: Mapping[str, Any], depth: int
) -> Iterator[tuple[Mapping[str, Any], int]]:
    yield node, depth
    for part in node.get("Plans", ()):
        yield from _nodes(part, depth + 1)


def _step(node: Mapping[str, Any]) -> str:
    words = [str(node["Node Type"])]
    if "Index Name" in node:
        words.append(f"using {node['Index Name']}")
    if "Relation Name" in node:
        words.append(f"on {node['Relation Name']}")
    if "Sort Key" in node:
        words.append(f"by {', '.join(node['Sort Key'])}")
    conditions = [name for name in ("Index Cond", "Filter") if name in node]
    words += [f"{name.lower()} {node[name]}" for name in conditions]
    if "Plan Rows" in node:
        words.append(f"(about {node['Plan Rows']} rows, cost {node['Total Cost']})")
    return " ".join(words)


# -- SQLite -------------------------------------------------------------------------

_INDEX: Final = re.compile(r"USING (?:COVERING )?INDEX (\S+)")


def _sqlite(answer: Sequence[Sequence[Any]], *, is_shared: bool) -> _Read:
    del is_shared  # SQLite tells no numbers
    depths: dict[int, int] = {0: -1}
    steps: list[str] = []
    details: list[str] = []
    for number, parent, _, detail in answer:
        depths[number] = depths.get(parent, -1) + 1
        steps.append("  " * depths[number] + detail)
        details.append(detail)
    names = [name for detail in details for name in _INDEX.findall(detail)]
    return _Read(
        raw=[list(row) for row in answer],
        steps=tuple(steps),
        indexes=tuple(dict.fromkeys(names)),
        is_scan=any(
            each.startswith("SCAN") and "INDEX" not in each for each in details
        ),
        is_searched=any(each.startswith("SEARCH") for each in details),
        is_sorted=any("TEMP B-TREE FOR ORDER BY" in each for each in details),
    )
