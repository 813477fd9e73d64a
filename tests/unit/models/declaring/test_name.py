from __future__ import annotations

import pytest

from dataflow.errors import ModelError
from dataflow.models import declare
from dataflow.models.declaring._name import table_name


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("User", "users"),
        ("OrderItem", "order_items"),
        ("Category", "categories"),
        ("Day", "days"),
        ("Address", "addresses"),
        ("Bus", "buses"),
        ("Status", "statuses"),
        ("Box", "boxes"),
        ("Batch", "batches"),
        ("Dish", "dishes"),
        ("Analysis", "analyses"),
        ("Settings", "settings"),
        ("HTTPServer", "http_servers"),
        ("APIKey", "api_keys"),
        ("Oauth2Token", "oauth2_tokens"),
        ("already_snake", "already_snakes"),
    ],
)
def test_a_table_is_the_plural_in_snake_case(name: str, table: str) -> None:
    assert table_name(name) == table


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("_hidden", "User._hidden cannot be declared: names that begin with _"),
        ("xmin", "PostgreSQL has a system column of this name: rename it"),
        ("n" * 64, "its name has 64 bytes, PostgreSQL keeps 63: shorten it"),
        ("ü" * 32, "its name has 64 bytes"),
        ("NAME", "it differs from 'name' in case only, which SQLite ignores"),
        ("ID", "it differs from 'id' in case only"),
    ],
)
def test_a_name_that_cannot_be_a_column_is_refused(field: str, message: str) -> None:
    cls = type("User", (), {"__annotations__": {"name": str, field: int}})

    with pytest.raises(ModelError) as caught:
        declare(cls)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "User cannot be declared: '' is no name of a table"),
        ("app.users", "'app.users' is no name of a table: give one without schema"),
        ("a\0", "is no name of a table"),
        ("sqlite_users", "SQLite keeps names such as 'sqlite_users' to itself"),
        ("t" * 64, "its name has 64 bytes"),
    ],
)
def test_a_name_that_cannot_be_a_table_is_refused(table: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        declare(type("User", (), {"__tablename__": table}))

    assert message in str(caught.value)
