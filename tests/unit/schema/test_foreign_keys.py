from __future__ import annotations

import pytest

from dataflow.errors import ModelError
from dataflow.models import Family, declare, field
from dataflow.schema import table_statements, tables_statements
from dataflow.sql import POSTGRESQL, SQLITE, Dialect


class Order:
    customer_code: str = field(
        references="Customer.code", on_delete="cascade", on_update="restrict"
    )
    boss_id: int | None = field(references="Employee", on_delete="set_null")


class Customer:
    code: str = field(unique=True)


class Employee:
    boss_id: int | None = field(references="Employee", backref="staff")
    badge: str
    mentor_badge: str | None = field(references="Employee.badge", backref="pupils")
    __indexes__ = [  # noqa: RUF012
        {"name": "one_badge_each", "fields": ["badge"], "unique": True}
    ]


class Hen:
    egg_id: int | None = field(references="Egg")


class Egg:
    hen_id: int = field(references="Hen")


FAMILY = Family()
for cls in (Order, Customer, Employee, Hen, Egg):
    FAMILY.add(declare(cls, FAMILY))
MODELS = FAMILY.models


def texts(dialect: Dialect, *names: str) -> list[str]:
    models = [MODELS[name] for name in names]
    return [each.text for each in tables_statements(models, dialect)]


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])
def test_a_table_says_what_it_refers_to_and_what_becomes_of_it(
    dialect: Dialect,
) -> None:
    (table, *indexes) = [
        each.text for each in table_statements(MODELS["Order"], dialect)
    ]

    assert (
        'CONSTRAINT "orders_customer_code_fkey" FOREIGN KEY("customer_code") '
        'REFERENCES "customers" ("code") ON DELETE CASCADE ON UPDATE RESTRICT'
    ) in table
    assert 'REFERENCES "employees" ("id") ON DELETE SET NULL' in table
    # NULL is the least in the order of lists.
    least = " ASC NULLS FIRST" if dialect is POSTGRESQL else ""
    assert indexes == [
        'CREATE INDEX "orders_customer_code_idx" ON "orders" ("customer_code")',
        f'CREATE INDEX "orders_boss_id_idx" ON "orders" ("boss_id"{least})',
    ]


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE])
def test_what_is_referred_to_is_created_first(dialect: Dialect) -> None:
    found = texts(dialect, "Order", "Customer", "Employee")
    tables = [text.split('"')[1] for text in found if text.startswith("CREATE TABLE")]

    assert tables == ["customers", "employees", "orders"]


def test_a_circle_is_closed_afterwards_where_the_database_looks() -> None:
    postgresql, sqlite = texts(POSTGRESQL, "Hen", "Egg"), texts(SQLITE, "Hen", "Egg")

    assert postgresql[-1] == (
        'ALTER TABLE "eggs" ADD CONSTRAINT "eggs_hen_id_fkey" '
        'FOREIGN KEY("hen_id") REFERENCES "hens" ("id")'
    )
    assert sum("REFERENCES" in text for text in postgresql) == 2
    assert not any("ALTER" in text for text in sqlite)
    assert sum("REFERENCES" in text for text in sqlite) == 2


def test_a_table_that_refers_to_itself_waits_for_its_own_unique_index() -> None:
    found = texts(POSTGRESQL, "Employee")

    assert "employees_boss_id_fkey" in found[0]
    assert any("one_badge_each" in text for text in found[1:-1])
    assert "employees_mentor_badge_fkey" in found[-1]


def test_a_table_that_refers_to_an_unknown_model_is_refused() -> None:
    class Visit:
        shop_id: int = field(references="Shop")

    with pytest.raises(ModelError, match="no model 'Shop'"):
        table_statements(declare(Visit), SQLITE)
