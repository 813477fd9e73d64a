"""Rows on the way back, with some of their values masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._terms import Mask

__all__ = ["lay", "mask_many", "mask_one"]

DecodeOne = Callable[[Sequence[Any]], dict[str, Any]]
DecodeMany = Callable[[Sequence[Any]], Sequence[Any]]


def mask_one(decode: DecodeOne, masks: Mapping[str, Mask]) -> DecodeOne:
    """Return *decode*, with *masks* laid over what it returns."""

    def masked(row: Sequence[Any]) -> dict[str, Any]:
        values = decode(row)
        lay(masks, values)
        return values

    return masked


def mask_many(decode: DecodeMany, masks: Mapping[str, Mask]) -> DecodeMany:
    """Return *decode*, which takes rows, with *masks* laid over what it returns."""

    def masked(rows: Sequence[Any]) -> Sequence[Any]:
        records = decode(rows)
        for values in records:
            lay(masks, values)
        return records

    return masked


def lay(masks: Mapping[str, Mask], values: dict[str, Any]) -> None:
    """Lay *masks* over values by name."""
    for name, mask in masks.items():
        if values.get(name) is not None:
            values[name] = mask(values[name])
