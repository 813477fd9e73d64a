"""What may be asked of related rows, as a table.

Rules of this file: every quantifier is made of "at least one", so that NULL keeps one
meaning: a row that refers to nothing has no related rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ....errors import FilterError, UnknownFieldError
from ....models import Model, Relation
from .._filter import ALL, Filter, negation, related
from ._operand import is_mapping, type_name, unknown_operator

__all__ = ["QUANTIFIERS", "is_quantified", "nothing_related", "relation_at"]

Quantify = Callable[[Relation, Filter], Filter]


def _every(relation: Relation, part: Filter) -> Filter:
    return negation(related(relation, negation(part)))


def _none(relation: Relation, part: Filter) -> Filter:
    return negation(related(relation, part))


QUANTIFIERS: Final[Mapping[str, Quantify]] = {
    "$some": related,
    "$every": _every,
    "$none": _none,
}
"""What stands behind a relation, by name."""


def nothing_related(relation: Relation) -> Filter:
    """Return the filter for rows without a related one."""
    return _none(relation, ALL)


def is_quantified(relation: Relation, given: object, path: str) -> bool:
    """Whether *given* is ``{"$some": ...}`` rather than a filter of one related row.

    Raises:
        FilterError: It is neither, or not clear.
    """
    if not is_mapping(given):
        words = "a mapping" if relation.is_many else "a mapping or None"
        raise FilterError(path, f"is a relation: takes {words}, not {type_name(given)}")
    found = [name for name in given if name in QUANTIFIERS]
    if len(found) == len(given) and found:
        return True
    if found:
        names = ", ".join(QUANTIFIERS)
        raise FilterError(f"{path}.{found[0]}", f"stands beside {names} only")
    if relation.is_many:
        raise FilterError(path, _unquantified(relation, given))
    return False


def _unquantified(relation: Relation, given: Mapping[object, object]) -> str:
    name = next((each for each in given if str(each).startswith("$")), None)
    if name is not None:
        return unknown_operator(str(name), tuple(QUANTIFIERS))
    return (
        f"{relation.name} are many rows: say of how many, such as {{'$some': {{...}}}}, "
        f"with one of {', '.join(QUANTIFIERS)}"
    )


def relation_at(model: Model, name: str, path: str) -> tuple[Relation, str | None]:
    """Return the relation that *name* means, and the path into the row behind it.

    Raises:
        FilterError: There is none, or a path leads into many rows.
    """
    first, dot, rest = name.partition(".")
    relations = model.relations
    relation = relations.get(first)
    if relation is None:
        error = UnknownFieldError(model.name, first, (*model.names, *relations))
        raise FilterError(path, str(error)) from error
    if dot and not rest:
        raise FilterError(path, "a path has a name between its dots")
    if dot and relation.is_many:
        problem = (
            f"{first} are many rows: write {{'{first}': {{'$some': "
            f"{{'{rest}': ...}}}}}}"
        )
        raise FilterError(path, problem)
    return relation, rest if dot else None
