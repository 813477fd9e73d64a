"""What is left of a condition lets the same rows through as the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dataflow.models import Model, declare
from dataflow.sql import (
    ALL,
    NEW,
    NOTHING,
    OLD,
    Comparison,
    UndecidedError,
    decide,
    matcher,
    names_in,
    parse,
)
from dataflow.sql.filters._filter import CompareRow, Filter


class Thing:
    number: int | None
    other: int | None
    text: str | None
    tags: list[str] | None
    meta: dict[str, Any] | None


THING: Model = declare(Thing)
SPOKEN = Model(
    name="rule",
    table="rule",
    fields=tuple(
        replace(field, name=f"{prefix}{field.name}", is_nullable=True)
        for field in THING.fields
        for prefix in (OLD, NEW)
    ),
    key=("id",),
    python_type=object,
)
PREFIXES = st.sampled_from([OLD, NEW])
NUMBERS = st.none() | st.integers(-2, 2)
TEXTS = st.none() | st.sampled_from(["", "a", "b", "ab"])


def leaf(prefix: str, name: str, operator: str, value: Any) -> dict[str, Any]:
    return {f"{prefix}{name}": {operator: value}}


def other_field(prefix: str, name: str) -> dict[str, Any]:
    return {"$field": f"{prefix}{name}"}


def element(one: str, other: str) -> dict[str, Any]:
    return {"$not": {"$eq": one}, "$in": [one, other]}


def equal(value: str) -> dict[str, Any]:
    return {"$eq": value}


def joined(operator: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {operator: parts}


def negated(part: dict[str, Any]) -> dict[str, Any]:
    return {"$not": part}


LETTERS = st.sampled_from(["a", "b"])
ELEMENTS = st.builds(equal, LETTERS) | st.builds(element, LETTERS, LETTERS)
LEAVES = st.one_of(
    st.builds(
        leaf,
        PREFIXES,
        st.sampled_from(["number", "other"]),
        st.sampled_from(["$eq", "$ne", "$gt", "$lte"]),
        st.integers(-2, 2),
    ),
    st.builds(leaf, PREFIXES, st.just("text"), st.just("$eq"), st.none()),
    st.builds(leaf, PREFIXES, st.just("text"), st.just("$contains"), LETTERS),
    st.builds(leaf, PREFIXES, st.just("tags"), st.just("$elemMatch"), ELEMENTS),
    st.builds(
        leaf,
        PREFIXES,
        st.just("meta.color"),
        st.just("$eq"),
        st.sampled_from(["red", 1]),
    ),
    st.builds(
        leaf,
        PREFIXES,
        st.just("number"),
        st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
        st.builds(other_field, PREFIXES, st.sampled_from(["number", "other"])),
    ),
)


def combined(
    parts: st.SearchStrategy[dict[str, Any]],
) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(parts, max_size=3)
    joining = st.builds(joined, st.sampled_from(["$and", "$or"]), some)
    return joining | st.builds(negated, parts)


FILTERS = st.recursive(LEAVES, combined, max_leaves=6)
ROWS = st.fixed_dictionaries(
    {
        "id": st.just(1),
        "number": NUMBERS,
        "other": NUMBERS,
        "text": TEXTS,
        "tags": st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "meta": st.none() | st.sampled_from([{}, {"color": "red"}, {"color": 1}]),
    }
)


@given(FILTERS, ROWS, ROWS, st.sets(st.sampled_from(THING.names)))
def test_what_is_left_means_the_same(
    written: dict[str, Any], old: dict[str, Any], new: dict[str, Any], changed: set[str]
) -> None:
    after = {name: new[name] if name in changed else old[name] for name in old}
    whole = {f"{OLD}{name}": value for name, value in old.items()}
    whole.update((f"{NEW}{name}", value) for name, value in after.items())
    known = {f"{NEW}{name}": new[name] for name in changed}
    columns = {f"{OLD}{field.name}": field for field in THING.fields}
    columns.update(
        (f"{NEW}{field.name}", field)
        for field in THING.fields
        if field.name not in changed
    )
    tree = parse(written, SPOKEN)

    assert matcher(decide(tree, known, columns))(old) is matcher(tree)(whole)


def test_what_is_known_wholly_is_decided() -> None:
    known = {f"{NEW}number": 1, f"{OLD}number": None}

    assert decide(parse({f"{NEW}number": 1}, SPOKEN), known, {}) is ALL
    assert decide(parse({f"{NEW}number": 2}, SPOKEN), known, {}) is NOTHING


@pytest.mark.parametrize(
    ("other", "decided"), [(1, ALL), (2, NOTHING), (None, NOTHING)]
)
def test_two_known_fields_are_compared(other: int | None, decided: Filter) -> None:
    written = {f"{NEW}number": {"$eq": {"$field": f"{OLD}number"}}}
    known = {f"{NEW}number": 1, f"{OLD}number": other}

    assert decide(parse(written, SPOKEN), known, {}) is decided


@pytest.mark.parametrize(
    "written",
    [
        {f"{NEW}number": 1},
        {f"{NEW}number": {"$gt": {"$field": f"{OLD}number"}}},
        {f"{NEW}tags": {"$elemMatch": {"$eq": "a"}}},
        {f"{NEW}meta.color": "red"},
    ],
)
def test_what_only_the_database_will_know_is_undecided(written: dict[str, Any]) -> None:
    columns = {f"{OLD}number": THING.field("number")}

    with pytest.raises(UndecidedError):
        decide(parse(written, SPOKEN), {}, columns)


def test_a_condition_tells_the_names_it_speaks_of() -> None:
    written = {
        f"{OLD}number": 1,
        "$not": {f"{NEW}text": {"$eq": {"$field": f"{OLD}text"}}},
        "$or": [{f"{NEW}tags": {"$elemMatch": {"$eq": "a"}}}],
    }

    assert names_in(parse(written, SPOKEN)) == {
        f"{OLD}number",
        f"{NEW}text",
        f"{OLD}text",
        f"{NEW}tags",
    }


def test_a_place_in_an_order_names_its_fields() -> None:
    fields = (THING.field("number"), THING.field("text"))

    assert names_in(CompareRow(fields, Comparison.GT, (1, "a"))) == {"number", "text"}


def test_a_condition_on_elements_is_one_of_the_column_all_through() -> None:
    written = {"$elemMatch": {"$not": {"$eq": "a"}, "$in": ["a", "b"]}}
    left = decide(
        parse({f"{OLD}tags": written}, SPOKEN), {}, {f"{OLD}tags": THING.field("tags")}
    )

    assert names_in(left) == {"tags"}
    assert [matcher(left)({"tags": tags}) for tags in (["a"], ["b"], [])] == [
        False,
        True,
        False,
    ]
