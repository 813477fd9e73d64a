from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from dataflow.models import Family, Model, SchemaFamily, declare, field


class Customer:
    name: str

    __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it


class Order:
    customer_id: int = field(references="Customer")

    __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it


class Country:
    name: str


def joined(family: Family, cls: type) -> Model:
    model = declare(cls, family)
    family.add(model)
    return model


def test_relations_lead_within_the_schema() -> None:
    base = Family(keeps_apart=True)
    customer, order = joined(base, Customer), joined(base, Order)
    here = SchemaFamily(base, "a")

    mine = here.model(order)
    assert (mine.schema, mine.table, order.schema) == ("a", "orders", None)
    assert mine.relations["customer"].target is here.model(customer)
    assert here.model(customer).relations["orders"].target is mine
    assert set(mine.connected) == {mine, here.model(customer)}
    (own,) = mine.own_relations
    assert own.source is mine
    assert here.model(order) is mine


def test_what_is_declared_later_is_here_as_well() -> None:
    base = Family(keeps_apart=True)
    customer = joined(base, Customer)
    here = SchemaFamily(base, "a")
    mine = here.model(customer)
    before = mine.generation
    assert not mine.relations

    order = joined(base, Order)

    assert mine.generation > before
    assert mine.relations["orders"].target is here.model(order)
    assert here.model(customer) is mine


def test_a_model_that_was_declared_anew_is_another_one_here() -> None:
    base = Family(keeps_apart=True)
    customer, order = joined(base, Customer), joined(base, Order)
    here = SchemaFamily(base, "a")
    before = here.model(customer)
    anew = joined(base, Customer)

    assert here.model(anew) is not before
    assert here.model(order).relations["customer"].target is here.model(anew)
    assert here.model(customer) is before
    stranger = replace(customer, name="Stranger")
    assert here.model(stranger) is here.model(stranger)


def test_what_all_share_is_not_in_the_schema() -> None:
    base = Family(keeps_apart=True)
    customer = joined(base, Customer)
    joined(base, Country)

    assert SchemaFamily(base, "a").model(customer).connected[1:] == ()


def test_several_threads_see_one_model() -> None:
    base = Family(keeps_apart=True)
    customer = joined(base, Customer)
    here = SchemaFamily(base, "a")

    with ThreadPoolExecutor(8) as threads:
        found = {*threads.map(here.model, [customer] * 64)}
    assert len(found) == 1
