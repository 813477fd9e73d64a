"""What users of the system write first: models, nodes, connections, results.

They import from ``kailash``, as their existing code does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kailash.runtime.local import LocalRuntime
from kailash.workflow.builder import WorkflowBuilder

from dataflow import DataFlow
from dataflow.errors import (
    EdgeError,
    FieldValueError,
    MissingFieldError,
    RecordNotFoundError,
    UnknownFieldError,
    UnknownNodeError,
    WorkflowError,
)

runtime = LocalRuntime()


def run_node(node: str, parameters: Mapping[str, Any] | None = None) -> Any:
    """Run a workflow of one node and return its result."""
    workflow = WorkflowBuilder()
    workflow.add_node(node, "only", parameters)
    results, run_id = runtime.execute(workflow.build())

    assert run_id
    return results["only"]


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        email: str
        active: bool = True

    return db


def test_a_declared_model_is_used_in_workflows_at_once(users: DataFlow) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(
        "UserCreateNode",
        "create_user",
        {"name": "Alice Smith", "email": "alice@example.com"},
    )
    results, run_id = runtime.execute(workflow.build())

    assert run_id
    assert results == {
        "create_user": {
            "id": 1,
            "name": "Alice Smith",
            "email": "alice@example.com",
            "active": True,
        }
    }
    assert users.list_models() == ["User"]
    assert users.get_model("User").__name__ == "User"


def test_every_model_has_its_nodes(users: DataFlow) -> None:
    kinds = ["Create", "Read", "Update", "Delete", "List", "Count", "Upsert"]
    bulk = ["BulkCreate", "BulkUpdate", "BulkDelete", "BulkUpsert"]
    expected = {f"User{kind}Node" for kind in (*kinds, *bulk)}

    assert expected <= set(users.nodes)


@pytest.mark.usefixtures("users")
def test_the_nine_nodes_do_what_their_patterns_say() -> None:
    created = run_node("UserCreateNode", {"name": "John", "email": "john@example.com"})
    key = {"record_id": created["id"]}

    assert run_node("UserReadNode", key) == {**created, "found": True}
    assert run_node("UserUpdateNode", {**key, "name": "Jane"}) == {
        **created,
        "name": "Jane",
        "updated": True,
    }
    page = run_node("UserListNode", {"filter": {"active": True}, "limit": 10})
    assert page["records"] == [{**created, "name": "Jane"}]
    assert (page["count"], page["limit"], page["offset"]) == (1, 10, 0)
    rows = [{"name": f"n{n}", "email": f"{n}@x"} for n in range(3)]
    bulk = run_node("UserBulkCreateNode", {"data": rows, "batch_size": 1000})
    assert (bulk["processed"], bulk["inserted"], bulk["success"]) == (3, 3, True)
    change = {"filter": {"name": "n1"}, "update": {"active": False}}
    assert run_node("UserBulkUpdateNode", change)["updated"] == 1
    assert run_node("UserBulkDeleteNode", {"filter": {"active": False}})["deleted"] == 1
    assert run_node("UserDeleteNode", key) == {"id": created["id"], "deleted": True}
    assert run_node("UserDeleteNode", key) == {"id": created["id"], "deleted": False}
    assert run_node("UserUpdateNode", {**key, "name": "x"})["updated"] is False
    assert run_node("UserCountNode") == {"count": 2}


def test_bulk_upsert_goes_by_its_key_fields(db: DataFlow) -> None:
    @db.model
    class Contact:
        name: str
        email: str
        visits: int = 0

        __dataflow__ = {"unique": [["email"]]}  # noqa: RUF012  as users write it

    first = [{"name": "A", "email": "a@x"}, {"name": "B", "email": "b@x", "visits": 7}]
    parameters = {"data": first, "key_fields": ["email"]}
    assert run_node("ContactBulkUpsertNode", parameters)["inserted"] == 2

    second = [{"name": "BB", "email": "b@x"}, {"name": "C", "email": "c@x"}]
    result = run_node("ContactBulkUpsertNode", {**parameters, "data": second})
    page = run_node("ContactListNode", {"order_by": ["name"]})

    assert (result["inserted"], result["updated"], result["skipped"]) == (1, 1, 0)
    assert [(each["name"], each["visits"]) for each in page["records"]] == [
        ("A", 0),
        ("BB", 7),
        ("C", 0),
    ]


def test_queries_in_the_style_of_mongodb(db: DataFlow) -> None:
    @db.model
    class Employee:
        name: str
        age: int
        department: str
        created_at: datetime

    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        ("John", 30, "eng"),
        ("Johanna", 40, "sales"),
        ("Peter", 30, "eng"),
        ("Johnny", 70, "eng"),
        ("Joh", 17, "eng"),
        ("John", 50, "hr"),
    ]
    run_node(
        "EmployeeBulkCreateNode",
        {
            "data": [
                {
                    "name": name,
                    "age": age,
                    "department": department,
                    "created_at": start + timedelta(days=day),
                }
                for day, (name, age, department) in enumerate(rows)
            ]
        },
    )
    page = run_node(
        "EmployeeListNode",
        {
            "filter": {
                "age": {"$gt": 18, "$lt": 65},
                "department": {"$in": ["eng", "sales"]},
                "name": {"$regex": "^Joh"},
            },
            "order_by": ["-created_at"],
            "limit": 10,
        },
    )

    assert [each["name"] for each in page["records"]] == ["Johanna", "John"]
    assert page["records"][0]["created_at"] == start + timedelta(days=1)


@pytest.fixture
def shop(db: DataFlow) -> DataFlow:
    @db.model
    class Customer:
        name: str

    @db.model
    class Order:
        customer_id: int
        total: float = 0.0
        status: str = "pending"
        due_date: datetime | None = None

    @db.model
    class OrderItem:
        order_id: int
        product_id: int
        quantity: int
        price: float

    return db


@pytest.mark.usefixtures("shop")
def test_connections_carry_dynamic_values() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("CustomerCreateNode", "create_customer", {"name": "Alice"})
    due = datetime(2026, 2, 1, 12, tzinfo=UTC)
    workflow.add_node(
        "OrderCreateNode", "create_order", {"due_date": due, "total": 250.0}
    )
    workflow.add_connection("create_customer", "id", "create_order", "customer_id")
    results, _ = runtime.execute(workflow.build())

    assert results["create_order"] == {
        "id": 1,
        "customer_id": results["create_customer"]["id"],
        "total": 250.0,
        "status": "pending",
        "due_date": due,
    }


@pytest.mark.usefixtures("shop")
def test_an_order_gives_its_id_to_all_its_items() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("OrderCreateNode", "create", {"customer_id": 123})
    items = [
        {"product_id": 1, "quantity": 2, "price": 50.00},
        {"product_id": 2, "quantity": 1, "price": 7},
    ]
    workflow.add_node("OrderItemBulkCreateNode", "add_items", {"data": items})
    workflow.add_node("OrderItemListNode", "items")
    workflow.add_connection("create", "id", "add_items", "order_id")
    results, _ = runtime.execute(workflow.build())
    page = run_node("OrderItemListNode", {"filter": {"order_id": 1}})

    assert results["add_items"]["inserted"] == 2
    assert [each["order_id"] for each in page["records"]] == [1, 1]
    assert page["records"][1]["price"] == 7.0


@pytest.mark.usefixtures("shop")
def test_templates_are_refused_when_a_workflow_is_built() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("CustomerCreateNode", "create_customer", {"name": "Alice"})
    parameters = {"customer_id": "${create_customer.id}"}
    workflow.add_node("OrderCreateNode", "create_order", parameters)

    with pytest.raises(FieldValueError, match="add_connection") as caught:
        workflow.build()

    assert caught.value.field == "customer_id"


@pytest.mark.usefixtures("shop")
def test_dates_as_strings_are_refused_and_nothing_is_stored() -> None:
    workflow = WorkflowBuilder()
    text = datetime.now(UTC).isoformat()
    parameters = {"customer_id": 1, "due_date": text}
    workflow.add_node("OrderCreateNode", "create", parameters)

    with pytest.raises(FieldValueError, match="datetime"):
        workflow.build()

    assert run_node("OrderCountNode") == {"count": 0}


@pytest.mark.usefixtures("shop")
def test_mistakes_are_told_with_the_nearest_valid_name() -> None:
    workflow = WorkflowBuilder()
    with pytest.raises(UnknownNodeError, match="did you mean 'OrderCreateNode'"):
        workflow.add_node("OrderCreatNode", "create", {})
    workflow.add_node("OrderCreateNode", "create", {"customer_id": 1, "totl": 2.0})
    with pytest.raises(UnknownFieldError, match="did you mean 'total'"):
        workflow.build()
    workflow = WorkflowBuilder()
    workflow.add_node("OrderCreateNode", "create", {})
    with pytest.raises(MissingFieldError, match="customer_id"):
        workflow.build()
    workflow.add_node("CustomerCreateNode", "customer", {"name": "x"})
    workflow.add_connection("customer", "ident", "create", "customer_id")
    with pytest.raises(EdgeError, match="ident"):
        workflow.build()


@pytest.mark.usefixtures("users")
def test_a_missing_row_is_an_error_unless_it_may_be_missing() -> None:
    with pytest.raises(WorkflowError) as caught:
        run_node("UserReadNode", {"record_id": 999})
    optional = {"record_id": 999, "raise_on_not_found": False}

    assert isinstance(caught.value.__cause__, RecordNotFoundError)
    assert caught.value.node_id == "only"
    assert run_node("UserReadNode", optional) == {"id": 999, "found": False}


def test_arrays_and_json_come_back_parsed(db: DataFlow) -> None:
    @db.model
    class BlogPost:
        title: str
        tags: list[str] = []  # noqa: RUF012  as users write it
        config: dict[str, Any] = {}  # noqa: RUF012  as users write it

    config = {"database": {"host": "localhost", "ports": [1, 2.5, None, True]}}
    created = run_node(
        "BlogPostCreateNode", {"title": "x" * 10_000, "tags": ["a"], "config": config}
    )
    plain = run_node("BlogPostCreateNode", {"title": "plain"})

    assert created["config"]["database"]["host"] == "localhost"
    assert (created["config"], created["tags"]) == (config, ["a"])
    assert (plain["config"], plain["tags"]) == ({}, [])


@pytest.mark.usefixtures("users")
def test_results_are_never_wrapped() -> None:
    result = run_node("UserCreateNode", {"name": "x", "email": "y"})

    assert "output" not in result
    assert result["name"] == "x"


def test_text_that_looks_like_sql_is_stored_as_it_is(users: DataFlow) -> None:
    text = "how to: select * from t; drop table users; -- '\"\\ %_ $1 ?1"
    run_node("UserCreateNode", {"name": text, "email": "x"})
    found = run_node("UserListNode", {"filter": {"name": text}})

    assert found["records"][0]["name"] == text
    assert users.list_models() == ["User"]
