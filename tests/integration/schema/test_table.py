from __future__ import annotations

import subprocess
import sys

import anyio
import pytest

from dataflow.drivers import Driver
from dataflow.errors import DriverError
from dataflow.models import declare, field
from dataflow.schema import ensure_table
from dataflow.sql import Statement


class User:
    name: str = field(index=True)
    email: str = field(unique=True)


class Taken:
    a: str
    __indexes__ = [{"name": "users_name_idx", "fields": ["a"]}]  # noqa: RUF012


USER = declare(User)

SCRIPT = """
import sys, anyio
from dataflow.drivers import connect, open_bridge, parse_url
from dataflow.models import declare, field
from dataflow.schema import ensure_table

class User:
    name: str = field(index=True)
    email: str = field(unique=True)

async def main(url):
    async with open_bridge() as bridge:
        driver = connect(parse_url(url), bridge)
        print(await ensure_table(driver, declare(User)), "sqlalchemy" in sys.modules)
        await driver.aclose()

anyio.run(main, sys.argv[1])
"""


async def names(driver: Driver) -> list[str]:
    """Return the names of the tables, views and indexes of users, sorted."""
    query = (
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"
        if driver.dialect.name == "sqlite"
        else "SELECT relname::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'i')"
    )
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([Statement(query, returns_rows=True)])
    return sorted(row[0] for row in result.rows)


async def run(driver: Driver, text: str) -> None:
    async with driver.acquire() as connection:
        await connection.run([Statement(text)])


async def test_a_table_is_created_once_with_its_indexes(driver: Driver) -> None:
    assert await ensure_table(driver, USER)
    assert not await ensure_table(driver, USER)

    assert {"users", "users_name_idx"} <= set(await names(driver))


async def test_of_many_tasks_one_creates(driver: Driver) -> None:
    created: list[bool] = []

    async def ensure() -> None:
        created.append(await ensure_table(driver, USER))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ensure)

    assert sorted(created) == [False] * 19 + [True]


@pytest.mark.slow
def test_of_many_processes_one_creates_and_later_ones_load_no_sqlalchemy(
    database_url: str,
) -> None:
    command = [sys.executable, "-c", SCRIPT, database_url]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=30)[0].split() for process in processes]
    later = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603

    assert sorted(created for created, _ in answers) == ["False"] * 3 + ["True"]
    assert later.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "existing", ["CREATE TABLE users (other int)", "CREATE VIEW users AS SELECT 1 AS a"]
)
async def test_what_has_the_name_already_is_left_as_it_is(
    driver: Driver, existing: str
) -> None:
    await run(driver, existing)

    assert not await ensure_table(driver, USER)
    assert await names(driver) == ["users"]


async def test_a_table_whose_index_cannot_be_made_is_not_there_at_all(
    driver: Driver,
) -> None:
    await ensure_table(driver, USER)
    before = await names(driver)

    with pytest.raises(DriverError, match="users_name_idx"):
        await ensure_table(driver, declare(Taken))
    assert await names(driver) == before
