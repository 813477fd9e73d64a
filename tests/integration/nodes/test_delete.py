from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import (
    AmbiguousFilterError,
    MissingFieldError,
    RecordNotFoundError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def user(db: DataFlow) -> type:
    @db.model
    class User:
        name: str

    await db[User].bulk_create([{"name": name} for name in ("a", "b", "b")])
    return User


@pytest.mark.parametrize(
    "given",
    [{"record_id": 1}, {"id": 1}, {"filter": {"id": 1}}, {"filter": {"name": "a"}}],
)
async def test_one_row_is_deleted(
    given: dict[str, object], db: DataFlow, user: type, ask: Ask
) -> None:
    assert await ask("UserDeleteNode", **given) == {"id": 1, "deleted": True}
    assert await db[user].count() == 2


@pytest.mark.usefixtures("user")
async def test_a_row_that_is_not_there_is_told(ask: Ask) -> None:
    by_key = await ask("UserDeleteNode", id=9)
    by_filter = await ask("UserDeleteNode", filter={"name": "z"})

    assert by_key == {"id": 9, "deleted": False}
    assert by_filter == {"id": None, "deleted": False}
    with pytest.raises(RecordNotFoundError):
        await ask("UserDeleteNode", id=9, raise_on_not_found=True)


async def test_a_filter_that_matches_several_deletes_none(
    db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(AmbiguousFilterError) as error:
        await ask("UserDeleteNode", filter={"name": "b"})

    assert str(error.value) == (
        "UserDeleteNode works on one row and its filter matches several; nothing was "
        "changed: narrow the filter, or use UserBulkDeleteNode"
    )
    assert await db[user].count() == 3


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"filter": {}}, MissingFieldError),
        ({"filter": {"$or": [{}, {"id": 1}]}}, MissingFieldError),
        ({"id": 1, "name": "a"}, UnknownFieldError),
    ],
)
async def test_what_names_no_row_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserDeleteNode", **given)
