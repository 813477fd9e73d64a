"""The commands that look at a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from dataflow import DataFlow, LocalRuntime
from dataflow.cli._app import app

TABLES = (
    """CREATE TABLE users (
      id integer PRIMARY KEY, name varchar(20) NOT NULL UNIQUE,
      size integer DEFAULT 5 CHECK (size > 0), thing {odd},
      twice integer GENERATED ALWAYS AS (size * 2) STORED
    )""",
    'CREATE TABLE "odd [red] names" (id integer PRIMARY KEY, of integer REFERENCES users)',
    "CREATE INDEX big ON users (size) WHERE size > 10",
    'CREATE UNIQUE INDEX ofs ON "odd [red] names" (of)',
    "CREATE VIEW names AS SELECT name FROM users",
)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def shop(database_url: str) -> str:
    """Give the URL of a database with tables of others."""
    odd = "money" if database_url.startswith("postgresql") else "POINT"
    db = DataFlow(database_url, auto_migrate=False)
    for text in TABLES:
        flow = db.workflow()
        given: dict[str, Any] = {"query": text.format(odd=odd)}
        given["validate_queries"] = False
        flow.add_node("AsyncSQLDatabaseNode", "it", given)
        LocalRuntime().execute(flow.build())
    db.close()
    return database_url


def test_tables_are_shown_to_people(shop: str) -> None:
    shown = run("schema", "show", "--url", shop)

    for text in (
        "users",
        "odd [red] names",
        "names (view)",
        "key: id",
        "unique: name",
        "foreign key: of -> users (id)",
        "check: size > 0",
        "index: size where",
        "unique index: of",
        "= size * 2",
    ):
        assert text in shown


def test_tables_are_shown_to_machines(shop: str) -> None:
    told = msgspec.json.decode(run("schema", "show", "--url", shop, "--json"))
    some = run("schema", "show", "--url", shop, "--json", "--tables", "users, names")

    assert [each["name"] for each in told["tables"]] == ["odd [red] names", "users"]
    assert [each["name"] for each in msgspec.json.decode(some)["tables"]] == ["users"]
    assert [each["name"] for each in msgspec.json.decode(some)["views"]] == ["names"]


def test_a_database_without_tables_says_so(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()

    assert "There are no tables." in run("schema", "show", "--url", database_url)


def test_a_file_that_is_not_there_is_not_made(sqlite_url: str) -> None:
    said = run("schema", "show", "--url", sqlite_url, code=2)

    assert "there is no file" in said
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_models_are_written_to_a_file_or_printed(shop: str, tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    printed = run("schema", "generate", "--url", shop)
    run("schema", "generate", "--url", shop, "--tables", "users", "-o", str(path))

    compile(printed, "models.py", "exec")
    assert "class User:" in path.read_text(encoding="utf-8")
    assert "OddRedName" in printed
    assert "OddRedName" not in path.read_text(encoding="utf-8")


def test_what_cannot_be_used_is_one_line(shop: str, tmp_path: Path) -> None:
    unknown = run("schema", "show", "--url", shop, "--tables", "user", code=1)
    nowhere = tmp_path / "missing" / "models.py"
    unwritten = run("schema", "generate", "--url", shop, "-o", str(nowhere), code=1)
    wrong = run("schema", "show", "--url", "mysql://x", code=2)

    assert "no table 'user': did you mean 'users'?" in unknown
    assert "cannot write" in unwritten
    assert wrong.count("\n") == 1
