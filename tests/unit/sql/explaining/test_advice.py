from __future__ import annotations

from typing import Any

import pytest

from dataflow.models import declare
from dataflow.sql import parse, parse_order
from dataflow.sql.explaining import advice


class User:
    __indexes__ = ({"fields": ["city", "age"]}, {"fields": ["email"], "unique": True})
    city: str
    age: int
    email: str
    name: str
    tags: list[str]


USER = declare(User)
NONE = "no index of a model serves this filter"


def hints(
    given: Any = None,
    order: object = None,
    *,
    searched: bool = False,
    ordered: bool = True,
) -> list[str]:
    """Return what is advised, each up to its first comma or colon."""
    found = advice(
        USER,
        parse(given, USER),
        parse_order(order, USER),
        is_searched=searched,
        is_sorted=not ordered,
    )
    return [each.partition(": add ")[2] or each.partition(",")[0] for each in found]


def index(*names: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f'{{"fields": [{listed}]}} to __indexes__'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        ({"name": "Bo"}, [index("name")]),
        ({"name": "Bo", "age": {"$gt": 3}}, [index("name", "age")]),
        ({"age": {"$gt": 3, "$lt": 9}}, [index("age")]),
        ({"city": "Bern", "name": "Bo"}, []),
        ({"email": "x"}, []),
        ({"id": {"$in": [1, 2]}}, []),
        ({"$or": [{"name": "Bo"}, {"age": 3}, {"email": "x"}]}, [index("name"), index("age")]),
        ({"$or": [{"name": "Bo"}, {"name": {"$contains": "o"}}]}, [NONE]),
        (
            {"tags": {"$all": ["a"]}, "$or": [{"name": "Bo"}, {"age": 3}]},
            [index("name"), index("age")],
        ),
        ({"tags": {"$all": ["a"]}, "name": {"$contains": "o"}}, [NONE]),
        ({"$nor": [{"name": "Bo"}]}, [NONE]),
        ({"name": {"$gt": {"$field": "city"}}}, [NONE]),
    ],
    ids=str,
)  # fmt: skip
def test_an_index_that_is_missing_for_a_filter_is_named(
    given: Any, expected: list[str]
) -> None:
    assert hints(given) == expected
    assert hints(given, searched=True) == []


@pytest.mark.parametrize(
    ("given", "order", "expected"),
    [
        (None, "name", [index("name")]),
        (None, "-name, -age", [index("name", "age")]),
        (None, "name, -age", [index("name")]),
        (None, "city", []),
        (None, "city, age, name", []),
        (None, "id", []),
        ({"city": "Bern"}, "age", []),
        ({"city": "Bern"}, "name", [index("city", "name")]),
    ],
    ids=str,
)
def test_an_index_that_is_missing_for_an_order_is_named(
    given: Any, order: object, expected: list[str]
) -> None:
    assert hints(given, order, searched=True, ordered=False) == expected
