"""What must hold for rows that are there, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Iterable

from ..._shape import Column, ForeignKey
from .._step import Proof
from ._text import quote

__all__ = [
    "no_conversion",
    "no_nulls",
    "no_orphans",
    "no_twins",
    "no_value",
    "no_value_of",
]


def no_value(table: str, column: str) -> str:
    """Say that rows lack a value."""
    return (
        f"{table} has rows, and {column} must have a value in each: give the field a "
        f"default, or declare it as `{column}: … | None = None`"
    )


def no_conversion(place: str, old: Column, new: Column) -> str:
    """Say that a type cannot become another."""
    return (
        f"{place} cannot be changed from {old.type} to {new.type} without guessing: "
        "add a field of the new type, convert the values, then drop the old one"
    )


def no_value_of(place: str, new: Column) -> str:
    """Say that a value does not fit."""
    return (
        f"a value of {place} is no {new.type} without being changed: correct such rows "
        "first"
    )


def no_nulls(table: str, column: str) -> Proof:
    """Ask for rows that have no value."""
    return Proof(
        f"SELECT 1 FROM {quote(table)} WHERE {quote(column)} IS NULL LIMIT 1",
        f"rows of {table} have no {column}: give the field a default, or fill them first",
    )


def no_twins(table: str, columns: Iterable[str], where: str | None = None) -> Proof:
    """Ask for rows that are not unique, among those where a condition holds."""
    columns = tuple(columns)
    listed = ", ".join(map(quote, columns))
    present = " AND ".join(f"{quote(each)} IS NOT NULL" for each in columns)
    present += "" if where is None else f" AND ({where})"
    return Proof(
        f"SELECT 1 FROM {quote(table)} WHERE {present} GROUP BY {listed} "
        "HAVING count(*) > 1 LIMIT 1",
        f"rows of {table} have the same {', '.join(columns)}: make them differ first",
    )


def no_orphans(table: str, key: ForeignKey) -> Proof:
    """Ask for rows that refer to nothing."""
    pairs = zip(key.columns, key.target_columns, strict=True)
    same = " AND ".join(f"t.{quote(there)} = s.{quote(here)}" for here, there in pairs)
    present = " AND ".join(f"s.{quote(each)} IS NOT NULL" for each in key.columns)
    return Proof(
        f"SELECT 1 FROM {quote(table)} AS s WHERE {present} AND NOT EXISTS "
        f"(SELECT 1 FROM {quote(key.target)} AS t WHERE {same}) LIMIT 1",
        f"rows of {table} refer by {', '.join(key.columns)} to rows of {key.target} "
        "that are not there: delete or correct them first",
    )
