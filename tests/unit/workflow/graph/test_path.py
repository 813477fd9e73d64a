from __future__ import annotations

from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from dataflow.errors import UnknownFieldError
from dataflow.workflow.graph._path import pick, split


class Address(msgspec.Struct):
    city: str


RESULT: dict[str, Any] = {
    "id": 7,
    "name": None,
    "records": [{"id": 1}, {"id": 2}],
    "empty": [],
    "home": Address("Paris"),
    "frozen": MappingProxyType({"a": (1, 2)}),
}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("id", 7),
        ("name", None),
        ("records.0.id", 1),
        ("records.-1.id", 2),
        ("home.city", "Paris"),
        ("frozen.a.1", 2),
    ],
)
def test_a_path_leads_through_mappings_structs_and_sequences(
    output: str, expected: object
) -> None:
    assert pick(RESULT, split(output), "search") == expected


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("idd", "search has no 'idd': did you mean 'id'?"),
        ("records.2.id", "search.records has no '2': valid names are 0 to 1"),
        ("records.-3", "search.records has no '-3': valid names are 0 to 1"),
        ("records.first", "search.records has no 'first': valid names are 0 to 1"),
        ("empty.0", "search.empty has no '0': there are none"),
        ("home.street", "search.home has no 'street': valid names are city"),
        ("id.x", "search.id has no 'x': there are none"),
        ("name.x", "search.name has no 'x': there are none"),
    ],
)
def test_a_path_that_ends_early_says_where_and_what_is_there(
    output: str, said: str
) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        pick(RESULT, split(output), "search")

    assert str(caught.value) == said
