"""How much of a table a filter means, by its form alone."""

from __future__ import annotations

from ...sql import And, Filter, Not, Or

__all__ = ["lets_all_pass"]


def lets_all_pass(where: Filter) -> bool:
    """Whether a filter lets every row through, whatever the rows hold.

    ``{}`` is not the only one: so do ``{"$and": []}`` and ``{"$or": [{}]}``.
    """
    match where:
        case And(parts=parts):
            return all(map(lets_all_pass, parts))
        case Or(parts=parts):
            return any(map(lets_all_pass, parts))
        case Not(part=part):
            return _lets_none_pass(part)
        case _:
            return False


def _lets_none_pass(where: Filter) -> bool:
    match where:
        case And(parts=parts):
            return any(map(_lets_none_pass, parts))
        case Or(parts=parts):
            return all(map(_lets_none_pass, parts))
        case Not(part=part):
            return lets_all_pass(part)
        case _:
            return False
