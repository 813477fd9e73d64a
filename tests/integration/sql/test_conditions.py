"""Expressions go wherever a filter goes."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import FilterError
from dataflow.sql import columns


async def test_every_node_with_a_filter_takes_an_expression(database_url: str) -> None:
    db = DataFlow(database_url)

    @db.model
    class User:
        name: str
        age: int
        meta: dict[str, Any]

    user = columns(User)
    is_adult = (user.age >= 18) & ~(user.meta["a"][0] == "x")
    async with db:
        users = db[User]
        for age, first in ((17, "y"), (18, "x"), (19, "y"), (20, 1)):
            await users.create(name=f"n{age}", age=age, meta={"a": [first]})
        page = await users.list(filter=is_adult, order_by="age", limit=1)
        rest = await users.list(
            filter=is_adult, order_by="age", cursor=page["next_cursor"]
        )
        streamed = [row["age"] async for row in users.stream(filter=is_adult)]
        count = await users.count(filter=is_adult | {"age": 17})
        await users.bulk_update(filter=is_adult, update={"name": "z"})
        await users.bulk_delete(filter=is_adult)
        left = await users.list(order_by="age")
        with pytest.raises(FilterError, match=r"\$and\[0\]\.age\.\$gt: takes int"):
            await users.count(filter=(user.age > "x") & is_adult)

    assert [row["age"] for row in page["records"]] == [19]
    assert [row["age"] for row in rest["records"]] == [20]
    assert sorted(streamed) == [19, 20]
    assert count == 3
    assert [row["age"] for row in left["records"]] == [17, 18]
