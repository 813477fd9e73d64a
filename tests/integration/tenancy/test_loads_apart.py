"""What a tenant does comes to the same, whoever else has rows in the table.

A program runs as tenant A twice: on a table that holds rows of A and B, and on one that
holds those of A alone. Results, counts and errors are the same, and the rows of B stay.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow import DataFlow, LocalRuntime, Records, field
from dataflow.errors import DataFlowError, WorkflowError

CODES = ("k1", "k2", "k3", "k4", "k5")
EMAILS = ("a@x", "b@x", "c@x", None)
SEED = [
    {"code": code, "email": email, "n": n}
    for n, (code, email) in enumerate([("k1", "a@x"), ("k2", None), ("k4", "c@x")])
]

Step = tuple[str, dict[str, Any]]
Filter = dict[str, Any]

codes, emails = st.sampled_from(CODES), st.sampled_from(EMAILS)
numbers = st.integers(-3, 5)
rows = st.fixed_dictionaries({"code": codes}, optional={"email": emails, "n": numbers})


def _at_least(n: int) -> Filter:
    return {"n": {"$gte": n}}


def _other_than(n: int) -> Filter:
    return {"$not": {"n": n}}


def _either(code: str, email: str | None) -> Filter:
    return {"$or": [{"code": code}, {"email": email}]}


def _none_of(code: str) -> Filter:
    return {"code": {"$nin": [code]}}


def _named(code: str) -> Filter:
    return {"code": code}


TRICKS: list[Filter] = [
    {},
    {"tenant_id": {"$ne": "a"}},
    {"$or": [{"tenant_id": "b"}, {"tenant_id": {"$gt": ""}}]},
]
filters: st.SearchStrategy[Filter] = st.one_of(
    st.sampled_from(TRICKS),
    st.builds(_at_least, numbers),
    st.builds(_other_than, numbers),
    st.builds(_either, codes, emails),
    st.builds(_none_of, codes),
)
changes = st.fixed_dictionaries({"n": numbers}, optional={"email": emails})
data = st.lists(rows, min_size=1, max_size=5)
resolutions = st.sampled_from(["error", "skip", "upsert"])


def step(kind: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(kind), st.fixed_dictionaries(parts))


programs = st.lists(
    st.one_of(
        st.tuples(st.just("Create"), rows),
        step("Read", record_id=codes, raise_on_not_found=st.booleans()),
        step("Read", filter=filters, raise_on_not_found=st.just(value=False)),
        step("Update", record_id=codes, fields=changes),
        step("Update", record_id=codes, fields=st.fixed_dictionaries({"code": codes})),
        step("Update", filter=filters, fields=changes),
        step("Delete", record_id=codes),
        step("Delete", filter=filters),
        step(
            "List", filter=filters, order_by=st.just(["-n"]), count=st.just(value=True)
        ),
        step("Pages", filter=filters),
        step("Count", filter=filters),
        step("Upsert", where=st.builds(_named, codes), update=changes),
        step(
            "BulkCreate",
            data=data,
            conflict_resolution=resolutions,
            return_ids=st.booleans(),
        ),
        step(
            "BulkCreate",
            data=data,
            error_strategy=st.just("continue"),
            return_ids=st.just(value=True),
        ),
        step("BulkUpsert", data=data),
        step(
            "BulkUpdate",
            filter=filters,
            update=st.just({"n": {"$inc": 1}}),
            confirmed=st.just(value=True),
        ),
        step(
            "BulkUpdate",
            data=st.lists(
                st.fixed_dictionaries({"code": codes, "n": numbers}),
                min_size=1,
                max_size=4,
            ),
        ),
        step("BulkDelete", filter=filters, confirmed=st.just(value=True)),
        step("BulkDelete", ids=st.lists(codes, max_size=4)),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    db = DataFlow(database_url)
    for name in ("Mixed", "Alone"):
        db.model(_model(name))
    yield db
    db.close()


def _model(name: str) -> type:
    class Thing:
        code: str = field(primary_key=True)
        email: str | None = field(default=None, unique=True)
        n: int = 0

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    return type(name, (Thing,), {})


class Side:
    """One of the two tables, with ways to ask it."""

    def __init__(self, db: DataFlow, name: str) -> None:
        self.db = db
        self.name = name

    def do(self, kind: str, given: dict[str, Any], tenant: str = "a") -> Any:
        workflow = self.db.workflow()
        workflow.add_node(f"{self.name}{kind}Node", "it", copy.deepcopy(given))
        results, _ = LocalRuntime().execute(workflow.build(), tenant=tenant)
        return results["it"]

    def tell(self, kind: str, given: dict[str, Any]) -> Any:
        """Return what came of a step, an error as its class and its words."""
        if kind == "Pages":
            return self.pages(given)
        try:
            return self._without_names(self.do(kind, given))
        except DataFlowError as error:
            cause = error.__cause__ if isinstance(error, WorkflowError) else error
            return type(cause).__name__, self._plain(str(cause))

    def _plain(self, words: str) -> str:
        return words.replace(self.name, "It").replace(f"{self.name.lower()}s", "its")

    def _without_names(self, result: dict[str, Any]) -> dict[str, Any]:
        for failure in result.get("errors", ()):
            failure["error"] = type(failure["error"]).__name__
            failure["reason"] = self._plain(failure["reason"])
        return result

    def pages(self, given: dict[str, Any]) -> list[Any]:
        """Return all records, a page at a time; cursors are not refused."""
        page = self.do("List", {**given, "limit": 2})
        found = [*page["records"]]
        while page["next_cursor"] is not None:
            cursor = page["next_cursor"]
            page = self.do("List", {**given, "limit": 2, "cursor": cursor})
            found += page["records"]
        return found

    def rows(self, tenant: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.do("List", {"limit": None}, tenant)["records"]
        return rows

    def reset(self, *tenants: str) -> None:
        for tenant in ("a", "b"):
            self.do("BulkDelete", {"filter": {}, "confirmed": True}, tenant)
        for tenant in tenants:
            self.do("BulkCreate", {"data": SEED}, tenant)


def test_rows_of_others_make_no_difference(db: DataFlow) -> None:
    mixed, alone = Side(db, "Mixed"), Side(db, "Alone")

    @given(programs)
    @settings(
        max_examples=60,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def run(program: list[Step]) -> None:
        mixed.reset("a", "b")
        alone.reset("a")
        before = mixed.rows("b")
        for kind, asked in program:
            assert mixed.tell(kind, asked) == alone.tell(kind, asked), (kind, asked)
        assert mixed.rows("a") == alone.rows("a")
        assert mixed.rows("b") == before

    run()


def test_loads_of_many_rows_stay_apart(db: DataFlow) -> None:
    mixed, alone = Side(db, "Mixed"), Side(db, "Alone")
    many = [{"code": f"c{n}", "email": f"{n}@x", "n": n} for n in range(300)]
    mixed.do("BulkCreate", {"data": many}, "b")
    before = mixed.rows("b")
    steps: list[Step] = [
        ("BulkCreate", {"data": many[:200], "return_ids": True}),
        ("BulkCreate", {"data": many[:100]}),
        ("BulkCreate", {"data": many[50:250], "conflict_resolution": "skip"}),
        ("BulkUpsert", {"data": [{"code": f"c{n}", "n": -n} for n in range(300)]}),
        ("BulkUpsert", {"data": many, "key_fields": ["email"], "return_ids": True}),
        ("BulkUpdate", {"data": [{"code": f"c{n}", "n": 7} for n in range(400)]}),
        ("BulkDelete", {"ids": [f"c{n}" for n in range(100, 500)]}),
    ]

    for kind, parameters in steps:
        assert mixed.tell(kind, parameters) == alone.tell(kind, parameters), kind
        assert mixed.rows("a") == alone.rows("a")
    assert mixed.rows("b") == before


def test_a_cursor_of_one_tenant_means_nothing_to_another(db: DataFlow) -> None:
    side = Side(db, "Mixed")
    side.reset("a", "b")
    cursor = side.do("List", {"limit": 1}, "a")["next_cursor"]

    with pytest.raises(WorkflowError, match="belongs to another filter or order"):
        side.do("List", {"limit": 1, "cursor": cursor}, "b")


def test_the_same_rows_are_listed_by_direct_calls(db: DataFlow) -> None:
    side = Side(db, "Mixed")
    side.reset("a", "b")

    async def codes(records: Records) -> list[str]:
        with db.tenant("a"):
            return [row["code"] async for row in records.stream(page=2)]

    import anyio  # noqa: PLC0415  only here an event loop is wanted

    assert anyio.run(codes, db["Mixed"]) == ["k1", "k2", "k4"]
