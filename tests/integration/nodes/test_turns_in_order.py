"""Whatever waits together, the results are those of some order, one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import permutations
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow import DataFlow, Records, field
from dataflow.errors import DuplicateKeyError

# What a statement does not depend on the event loop.
pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

Content: TypeAlias = dict[int, tuple[str, int]]
"""Rows by key: a unique name, and a number."""

Message: TypeAlias = tuple[str, int, str, int]
"""What to do, with which key, name and number."""

KEYS = (1, 2, 3)
NAMES = ("a", "b", "c")

MESSAGES: st.SearchStrategy[Message] = st.tuples(
    st.sampled_from(
        ["create", "read", "rename", "renumber", "both", "delete", "upsert", "count"]
    ),
    st.sampled_from(KEYS),
    st.sampled_from(NAMES),
    st.integers(0, 9),
)
CONTENTS = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9)).map(
    lambda rows: {key: (NAMES[key - 1], number) for key, number in rows.items()}
)


AtOnce: TypeAlias = Callable[[Sequence[Awaitable[Any]]], Awaitable[list[Any]]]
"""See conftest."""


def send(items: Records, message: Message) -> Awaitable[Any]:
    """Ask for it."""
    verb, key, name, number = message
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "create": lambda: items.create(id=key, name=name, number=number),
        "read": lambda: items.read(key, raise_on_not_found=False),
        "rename": lambda: items.update(key, name=name),
        "renumber": lambda: items.update(key, number=number),
        "both": lambda: items.update(key, name=name, number=number),
        "delete": lambda: items.delete(key),
        "upsert": lambda: items.upsert(
            where={"id": key},
            create={"name": name, "number": number},
            update={"number": number},
        ),
        "count": items.count,
    }
    return calls[verb]()


def predict(rows: Content, message: Message) -> Any:
    """Do it to *rows* and return what is replied: a table, in plain Python."""
    verb, key, name, number = message
    stored = rows.get(key)
    match verb:
        case "count":
            outcome: Any = len(rows)
        case "read":
            outcome = stored
        case "delete":
            outcome = rows.pop(key, None) is not None
        case "create" if stored is not None:
            outcome = DuplicateKeyError
        case "create":
            outcome = put(rows, key, name, number)
        case "upsert":
            outcome = put(rows, key, stored[0] if stored else name, number)
            if outcome is not DuplicateKeyError:
                outcome = (outcome, stored is None)
        case _ if stored is None:
            outcome = None
        case "rename":
            outcome = put(rows, key, name, stored[1])
        case "renumber":
            outcome = put(rows, key, stored[0], number)
        case _:
            outcome = put(rows, key, name, number)
    return outcome


def put(rows: Content, key: int, name: str, number: int) -> Any:
    """Store a row unless another one has its name."""
    if any(row[0] == name for other, row in rows.items() if other != key):
        return DuplicateKeyError
    rows[key] = (name, number)
    return rows[key]


def observed(message: Message, outcome: Any) -> Any:
    """Put an outcome in the words of `predict`."""
    verb = message[0]
    if isinstance(outcome, BaseException):
        return type(outcome)
    if verb == "count":
        return outcome
    if verb == "delete":
        return outcome["deleted"]
    if verb == "upsert":
        record = outcome["record"]
        return (record["name"], record["number"]), outcome["created"]
    if outcome.get("found") is False or outcome.get("updated") is False:
        return None
    return outcome["name"], outcome["number"]


def is_serial(
    before: Content,
    messages: Sequence[Message],
    outcomes: Sequence[Any],
    after: Content,
) -> bool:
    """Whether some order of *messages*, one by one, explains what came of them."""

    def explains(order: Iterable[int]) -> bool:
        rows = dict(before)
        return (
            all(predict(rows, messages[n]) == outcomes[n] for n in order)
            and rows == after
        )

    return any(map(explains, permutations(range(len(messages)))))


async def store(items: Records, rows: Content) -> None:
    await items.bulk_delete(ids=list(KEYS))
    if rows:
        await items.bulk_create(
            [{"id": k, "name": name, "number": n} for k, (name, n) in rows.items()]
        )


async def check(
    items: Records, at_once: AtOnce, before: Content, messages: Sequence[Message]
) -> None:
    """Send *messages* at once to a table that holds *before*."""
    await store(items, before)
    outcomes = await at_once([send(items, message) for message in messages])
    seen = [observed(m, outcome) for m, outcome in zip(messages, outcomes, strict=True)]
    after = {row["id"]: (row["name"], row["number"]) async for row in items.stream()}

    assert is_serial(before, messages, seen, after), (seen, after)


@pytest.fixture
def items(db: DataFlow) -> Records:
    @db.model
    class Item:
        name: str = field(unique=True)
        number: int = 0

    return db[Item]


# The table is emptied for each example.
reusing = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@reusing
@given(before=CONTENTS, messages=st.lists(MESSAGES, min_size=2, max_size=6))
async def test_results_are_those_of_some_order(
    items: Records, at_once: AtOnce, before: Content, messages: list[Message]
) -> None:
    await check(items, at_once, before, messages)


@reusing
@given(
    before=CONTENTS,
    verb=st.sampled_from(["create", "read", "rename", "both", "delete", "upsert"]),
    rest=st.lists(
        st.tuples(st.sampled_from(KEYS), st.sampled_from(NAMES), st.integers(0, 9)),
        min_size=4,
        max_size=6,
    ),
)
async def test_results_of_messages_of_one_kind_are_those_of_some_order(
    items: Records,
    at_once: AtOnce,
    before: Content,
    verb: str,
    rest: list[tuple[int, str, int]],
) -> None:
    """So that many share a statement, and some of it are refused."""
    await check(items, at_once, before, [(verb, *each) for each in rest])
