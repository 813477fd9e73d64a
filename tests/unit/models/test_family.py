from __future__ import annotations

import pytest

from dataflow.errors import ModelError
from dataflow.models import Family, Model, declare, field


class Customer:
    name: str
    code: str = field(unique=True)


class Order:
    customer_id: int = field(references="Customer")
    total: int


class Employee:
    boss_id: int | None = field(references="Employee", backref="staff")


class Profile:
    customer_id: int = field(references=Customer, unique=True)


class Line:
    order_id: int = field(primary_key=True, references="Order")
    number: int = field(primary_key=True)


class Remark:
    order: int | None
    number: int | None
    __foreign_keys__ = [  # noqa: RUF012
        {"fields": ["order", "number"], "references": "Line"}
    ]


def family(*classes: type) -> Family:
    found = Family()
    for each in classes:
        found.add(declare(each, found))
    return found


def relations(model: Model) -> dict[str, tuple[str, bool, bool]]:
    return {
        name: (relation.target.name, relation.is_many, relation.is_own)
        for name, relation in model.relations.items()
    }


def refusal(*classes: type) -> ModelError:
    with pytest.raises(ModelError) as caught:
        family(*classes)
    return caught.value


@pytest.mark.parametrize("classes", [(Customer, Order), (Order, Customer)])
def test_a_foreign_key_makes_a_relation_on_either_side(
    classes: tuple[type, ...],
) -> None:
    models = family(*classes).models

    assert relations(models["Order"]) == {"customer": ("Customer", False, True)}
    assert relations(models["Customer"]) == {"orders": ("Order", True, False)}
    assert repr(models["Order"].relations["customer"]) == (
        "<Relation Order.customer to Customer>"
    )


def test_a_relation_says_which_fields_are_equal() -> None:
    orders = family(Customer, Order).models["Customer"].relations["orders"]

    assert [(own.model, own.name) for own, _ in orders.pairs] == [("Customer", "id")]
    assert [each.name for _, each in orders.pairs] == ["customer_id"]


def test_a_model_may_refer_to_itself_and_needs_no_family_for_it() -> None:
    model = declare(Employee)

    assert relations(model) == {
        "boss": ("Employee", False, True),
        "staff": ("Employee", True, False),
    }
    assert model.connected == (model,)


def test_a_unique_foreign_key_leads_back_to_one_row() -> None:
    models = family(Customer, Profile).models

    assert relations(models["Customer"]) == {"profile": ("Profile", False, False)}


def test_several_fields_refer_to_a_key_of_several() -> None:
    models = family(Customer, Order, Line, Remark).models

    assert relations(models["Remark"]) == {"line": ("Line", False, True)}
    assert [
        (own.name, key.name) for own, key in models["Line"].relations["remarks"].pairs
    ] == [("order_id", "order"), ("number", "number")]


def test_a_model_knows_all_that_relations_lead_to() -> None:
    models = family(Customer, Employee, Order, Line, Profile).models
    connected = {each.name for each in models["Customer"].connected}

    assert connected == {"Customer", "Order", "Line", "Profile"}
    assert models["Customer"].connected[0] is models["Customer"]


def test_models_that_join_later_add_relations() -> None:
    found = family(Customer)
    customer = found.models["Customer"]
    before = customer.generation, relations(customer)
    found.add(declare(Order, found))

    assert before[1] == {}
    assert customer.generation > before[0]
    assert list(customer.relations) == ["orders"]


def test_a_model_that_is_declared_anew_is_the_one_referred_to() -> None:
    found = family(Customer, Order)
    old, order = found.models["Customer"], found.models["Order"]
    found.add(declare(Customer, found))

    assert order.relations["customer"].target is found.models["Customer"] is not old
    assert old.relations["orders"].source is old


def test_models_that_are_not_ready_keep_nobody_else_waiting() -> None:
    class Visit:
        customer_id: int = field(references="Customer")
        shop_id: int = field(references="Shop")

    found = family(Customer, Visit)

    assert [each.name for each in found.models["Customer"].connected] == ["Customer"]
    with pytest.raises(ModelError, match="no model 'Shop'"):
        _ = found.models["Visit"].connected
    with pytest.raises(ModelError, match="no model 'Shop'"):
        _ = found.models["Visit"].relations


def test_a_model_without_a_family_has_no_relations() -> None:
    made = declare(Customer)
    model = Model(
        name="Alone", table="alone", fields=made.fields, key=("id",), python_type=int
    )

    assert (dict(model.relations), model.own_relations) == ({}, ())
    assert (model.connected, model.generation) == ((model,), 0)


def test_an_unknown_model_is_refused_when_it_is_needed_with_the_nearest_name() -> None:
    class Visit:
        customer_id: int = field(references="Custmer")

    found = family(Customer, Visit)
    with pytest.raises(ModelError, match="did you mean 'Customer'") as caught:
        _ = found.models["Visit"].relations

    assert (caught.value.model, caught.value.field) == ("Visit", "customer_id")


def _referring(annotation: object, written: object) -> type:
    body = {"__annotations__": {"it_id": annotation}, "it_id": written}
    return type("Visit", (), body)


@pytest.mark.parametrize(
    ("annotation", "written", "problem"),
    [
        (str, field(references="Customer.cod"), "did you mean 'code'"),
        (str, field(references="Customer.name"), "may be the same in several rows"),
        (str, field(references="Customer"), "it is str, and Customer.id is int"),
        (int, field(references="Customer.code"), "it is int, and Customer.code is str"),
        (int, field(references="Line"), "name as many fields on both sides"),
    ],
)
def test_what_a_foreign_key_cannot_refer_to_is_refused_when_both_are_known(
    annotation: object, written: object, problem: str
) -> None:
    error = refusal(Customer, Order, Line, _referring(annotation, written))

    assert problem in str(error)
    assert (error.model, error.field) == ("Visit", "it_id")


def test_a_name_that_a_field_has_is_refused_and_told_how_to_name_it() -> None:
    class Visit:
        customer_id: int = field(references="Customer")
        customer: str

    error = refusal(Customer, Visit)

    assert "has a field of this name: name it with relation=" in str(error)
    assert (error.model, error.field) == ("Visit", "customer_id")


def test_a_way_back_whose_name_is_taken_is_refused_and_told_how_to_name_it() -> None:
    class Visit:
        guest_id: int = field(references="Customer")
        host_id: int = field(references="Customer")

    class Named:
        guest_id: int = field(references="Customer", backref="stays")
        host_id: int = field(references="Customer")

    error = refusal(Customer, Visit)

    assert "has another relation of this name: name it with backref=" in str(error)
    assert (error.model, error.field) == ("Visit", "host_id")
    assert list(family(Customer, Named).models["Customer"].relations) == [
        "stays",
        "nameds",
    ]


def test_a_model_that_is_refused_stays_outside() -> None:
    found = family(Customer)
    with pytest.raises(ModelError):
        found.add(declare(_referring(str, field(references="Customer")), found))

    assert list(found.models) == ["Customer"]
    assert dict(found.models["Customer"].relations) == {}


@pytest.mark.parametrize(
    ("name", "relation"), [("customer_code", "customer"), ("owner_id", "owner")]
)
def test_a_relation_is_called_as_its_field_says(name: str, relation: str) -> None:
    target = "Customer.code" if name.endswith("code") else "Customer"
    body = {
        "__annotations__": {name: str if name.endswith("code") else int},
        name: field(references=target),
    }
    models = family(Customer, type("Visit", (), body)).models

    assert list(models["Visit"].relations) == [relation]


def test_a_field_that_does_not_tell_what_its_relation_is_called_is_refused() -> None:
    class Visit:
        customer: int = field(references="Customer")

    class Told:
        customer: int = field(references="Customer", relation="guest")

    assert "name the field customer_id, or the relation" in str(
        refusal(Customer, Visit)
    )
    assert list(family(Customer, Told).models["Told"].relations) == ["guest"]
