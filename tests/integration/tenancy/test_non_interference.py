"""What a tenant does comes to the same, whoever else has rows in the tables.

Random programs run as tenant A twice: on a database that holds rows of A and B, and on
one that holds those of A alone. Results, counts, explanations and errors are the same,
and the rows of B stay as they are. `worlds` has the models.

``DATAFLOW_TEST_EXAMPLES`` says how many programs are tried in each place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import PostgresServer
from tenants import Place, owned_by
from worlds import CODES, Step, Worlds, open_worlds

EXAMPLES = int(os.environ.get("DATAFLOW_TEST_EXAMPLES", "30"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Filter = dict[str, Any]

codes = st.sampled_from((*CODES, "k9"))
emails = st.sampled_from(("a@x", "b@x", "c@x", "e@x", None))
numbers = st.integers(-2, 75)
places = st.integers(1, 4)
few = st.booleans()

FIELDS = {"Customer": "level", "Order": "n", "Line": "place"}
KEYS = {"Customer": "code", "Order": "code", "Line": "order_code"}
LEADS = {
    "Customer": (("orders", "Order"),),
    "Order": (("lines", "Line"),),
    "Line": (),
}
BACK = {"Customer": None, "Order": ("customer", "Customer"), "Line": ("order", "Order")}
INCLUDES = {
    "Customer": ["orders.lines", "country"],
    "Order": ["customer.country", "lines"],
    "Line": ["order.customer"],
}
models = st.sampled_from(tuple(FIELDS))

TRICKS: tuple[Filter, ...] = (
    {},
    {"tenant_id": {"$ne": "a"}},
    {"$or": [{"tenant_id": "b"}, {"tenant_id": {"$gt": ""}}]},
    {"$not": {"tenant_id": "a"}},
    {"tenant_id": {"$in": ["a", "b"]}},
)


def equal(name: str, value: object) -> Filter:
    return {name: value}


def asked(name: str, operator: str, value: object) -> Filter:
    return {name: {operator: value}}


def joined(operator: str, one: Filter, other: Filter) -> Filter:
    return {operator: [one, other]}


def leaves(model: str) -> st.SearchStrategy[Filter]:
    name, key = FIELDS[model], KEYS[model]
    own = [
        st.sampled_from(TRICKS),
        st.builds(asked, st.just(name), OPERATORS, numbers),
        st.builds(asked, st.just(name), st.just("$nin"), st.lists(numbers, max_size=3)),
        st.builds(equal, st.just(key), codes),
        st.builds(
            asked, st.just(key), st.sampled_from(["$regex", "$contains"]), st.just("k")
        ),
    ]
    if model == "Customer":
        own.append(st.builds(equal, st.just("email"), emails))
    return st.one_of(own)


OPERATORS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
QUANTIFIERS = st.sampled_from(["$some", "$every", "$none"])


def combined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    return st.one_of(
        parts,
        st.builds(joined, st.sampled_from(["$and", "$or"]), parts, parts),
        st.builds(equal, st.just("$not"), parts),
    )


def filters(model: str, hops: int = 2) -> st.SearchStrategy[Filter]:
    """Return filters that follow relations, to one and to many."""
    parts = [leaves(model)]
    if hops:
        for name, target in LEADS[model]:
            inner = filters(target, hops - 1)
            parts.append(st.builds(asked, st.just(name), QUANTIFIERS, inner))
        back = BACK[model]
        if back is not None:
            name, target = back
            inner = filters(target, hops - 1)
            parts.append(st.builds(equal, st.just(name), inner))
    return combined(st.one_of(parts))


FILTERS = {model: filters(model) for model in FIELDS}

DATA: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Customer": st.fixed_dictionaries(
        {"code": codes}, optional={"email": emails, "level": numbers}
    ),
    "Order": st.fixed_dictionaries(
        {"code": codes}, optional={"customer_code": codes | st.none(), "n": numbers}
    ),
    "Line": st.fixed_dictionaries(
        {"order_code": codes, "place": places}, optional={"what": st.just("new")}
    ),
}
CHANGES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "Customer": st.fixed_dictionaries(
        {"level": numbers | st.just({"$inc": 1})}, optional={"email": emails}
    ),
    "Order": st.fixed_dictionaries(
        {"n": numbers | st.just({"$inc": 1})},
        optional={"customer_code": codes | st.none(), "version": st.integers(1, 7)},
    ),
    "Line": st.fixed_dictionaries({"what": st.sampled_from(["x", "y"])}),
}


def keys(model: str) -> st.SearchStrategy[Any]:
    if model == "Line":
        return st.fixed_dictionaries({"order_code": codes, "place": places})
    return codes


def step(
    model: str, kind: str, **parts: st.SearchStrategy[Any]
) -> st.SearchStrategy[Step]:
    given = st.fixed_dictionaries(parts)
    return st.tuples(st.just(model), st.just(kind), given)


def reading(model: str) -> list[st.SearchStrategy[Step]]:
    where, name = FILTERS[model], FIELDS[model]
    order = st.sampled_from([[f"-{name}"], [name], None])
    include = st.sampled_from([None, INCLUDES[model]])
    never = st.just(value=False)
    return [
        step(model, "Read", record_id=keys(model), include=include),
        step(model, "Read", filter=where, raise_on_not_found=few),
        step(model, "List", filter=where, order_by=order, include=include),
        step(model, "List", filter=where, count=st.just(value=True), limit=places),
        step(model, "List", filter=where, distinct=st.just([name])),
        step(model, "Pages", filter=where, order_by=order),
        step(model, "Stolen", filter=st.sampled_from(TRICKS), order_by=order),
        step(model, "Stream", filter=where, include=include, batch_size=places),
        step(model, "Count", filter=where),
        step(
            model,
            "Aggregate",
            filter=where,
            aggregates=st.just({"rows": {"$count": "*"}, "most": {"$max": name}}),
            group_by=st.sampled_from([None, [name]]),
            having=st.sampled_from([None, {"rows": {"$gte": 1}}]),
        ),
        step(model, "Explain", filter=where, analyze=few, order_by=order),
        step(model, "Read", record_id=keys(model), raise_on_not_found=never),
    ]


def writing(model: str) -> list[st.SearchStrategy[Step]]:
    where, row, change = FILTERS[model], DATA[model], CHANGES[model]
    data = st.lists(row, min_size=1, max_size=4)
    yes = st.just(value=True)
    return [
        st.tuples(st.just(model), st.just("Create"), row),
        step(model, "Update", record_id=keys(model), fields=change),
        step(model, "Update", filter=where, fields=change),
        step(model, "Delete", record_id=keys(model)),
        step(model, "Delete", filter=where),
        step(
            model,
            "BulkCreate",
            data=data,
            conflict_resolution=st.sampled_from(["error", "skip", "upsert"]),
            return_ids=few,
        ),
        step(
            model,
            "BulkCreate",
            data=data,
            error_strategy=st.just("continue"),
            return_ids=yes,
        ),
        step(model, "BulkUpsert", data=data),
        step(model, "BulkUpdate", filter=where, update=change, confirmed=yes),
        step(model, "BulkUpdate", data=data),
        step(model, "BulkDelete", filter=where, confirmed=yes),
        step(model, "BulkDelete", ids=st.lists(keys(model), max_size=4)),
    ]


SINGULAR: list[st.SearchStrategy[Step]] = [
    step(
        "Customer",
        "Upsert",
        where=st.builds(equal, st.just("code"), codes),
        update=CHANGES["Customer"],
        create=st.builds(equal, st.just("email"), emails),
    ),
    step(
        "Order",
        "Upsert",
        where=st.builds(equal, st.just("code"), codes),
        update=st.builds(equal, st.just("n"), numbers),
    ),
    step(
        "Customer",
        "BulkUpsert",
        data=st.lists(DATA["Customer"], min_size=1, max_size=3),
        key_fields=st.just(["email"]),
    ),
    step("Customer", "Delete", record_id=codes, permanent=few),
    step("Customer", "BulkDelete", ids=st.lists(codes, max_size=3), permanent=few),
    step("Customer", "List", filter=FILTERS["Customer"], include_deleted=few),
    step("Customer", "Restore", record_id=codes),
    step("Order", "History", record_id=codes),
    step("Order", "Delete", record_id=codes, version=st.integers(1, 7)),
    step(
        "Line",
        "Create",
        order_code=codes,
        place=places,
        tenant_id=st.sampled_from("ab"),
    ),
    step("Order", "Count", tenant_id=st.sampled_from("ab")),
]
STEPS = [each for model in FIELDS for each in (*reading(model), *writing(model))]
programs = st.lists(st.one_of(*STEPS, *SINGULAR), min_size=1, max_size=10)


@pytest.fixture
def alone(
    every_place: Place, postgres_server: PostgresServer, tmp_path: Any
) -> Iterator[Place]:
    """Give another new database of the same kind."""
    if every_place.url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'alone.db'}"
        yield Place(url, url)
        return
    name = postgres_server.create()
    url = postgres_server.url_of(name)
    owned = owned_by(postgres_server, url) if every_place.options else Place(url, url)
    yield replace(owned, options=every_place.options)
    postgres_server.drop(name)


@pytest.fixture
def portal(anyio_backend: tuple[str, dict[str, Any]]) -> Iterator[BlockingPortal]:
    """Give an event loop that programs run on, one after the other."""
    with start_blocking_portal(anyio_backend[0]) as portal:
        yield portal


@pytest.fixture
def worlds(
    every_place: Place, alone: Place, portal: BlockingPortal
) -> Iterator[Worlds]:
    """Give a database with rows of both tenants, and one with those of A alone."""
    with ExitStack() as stack:
        opened = portal.wrap_async_context_manager(open_worlds(every_place, alone))
        yield stack.enter_context(opened)


def test_rows_of_others_make_no_difference(
    worlds: Worlds, portal: BlockingPortal
) -> None:
    @SETTINGS
    @given(programs)
    def run(program: list[Step]) -> None:
        portal.call(worlds.play, program)

    run()
