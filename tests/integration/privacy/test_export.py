"""Exporting a person: everything of it, and nothing of others."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from persons import declare_shop, fill

from dataflow import DataFlow, field
from dataflow.errors import (
    PartialViewError,
    PrivacyError,
    SubjectNotFoundError,
)
from dataflow.protection import allow, deny


async def test_an_export_has_all_rows_of_the_person_and_none_of_others(
    shop: DataFlow,
) -> None:
    ann, bob = await fill(shop)
    await shop["Customer"].delete(ann["id"])
    export = await shop.privacy.export_subject(ann["id"])

    counts = {name: len(rows) for name, rows in export.records.items()}
    assert counts == {"Customer": 1, "Order": 2, "Line": 4}
    (customer,) = export.records["Customer"]
    assert customer["mail"] == "ann@example.org"
    assert customer["deleted_at"] is not None
    assert all(each["customer_id"] != bob["id"] for each in export.records["Order"])
    assert repr(export) == "<SubjectExport of 7 rows>"


async def test_the_manifest_tells_what_is_in_it(shop: DataFlow) -> None:
    ann, _ = await fill(shop)
    export = await shop.privacy.export_subject({"id": ann["id"]})
    told = json.loads(export.json())
    lines = [json.loads(each) for each in export.jsonl()]

    customers, orders, _ = told["manifest"]["models"]
    assert told["manifest"]["subject"] == {"model": "Customer", "key": {"id": 1}}
    assert told["manifest"]["rows"] == 7
    assert customers["personal"]["born"] == "birthday"
    assert orders["belongs_by"] == [{"to": "Customer", "fields": {"customer_id": "id"}}]
    assert lines[0] == {"manifest": told["manifest"]}
    rows = [each["row"] for each in lines[1:] if each["model"] == "Order"]
    assert rows == told["records"]["Order"]
    assert told["records"]["Customer"][0]["income"] == "1.50"
    assert told["records"]["Customer"][0]["born"] == "1990-01-02"
    written = b"\n".join(
        bytes(each).removeprefix(b'{"model":"Order","row":').removesuffix(b"}\n")
        for each in export.jsonl()
        if each.startswith(b'{"model":"Order"')
    )
    assert orders["sha256"] == sha256(written).hexdigest()


@pytest.mark.parametrize("key", [99, {"id": 99}, {"mail": "x"}, {}])
async def test_who_is_not_there_is_not_exported(shop: DataFlow, key: object) -> None:
    await fill(shop)
    with pytest.raises(SubjectNotFoundError) as caught:
        await shop.privacy.export_subject(key)

    assert str(caught.value) == "no Customer has the given id: check the key"


async def test_a_half_answer_is_no_answer(database_url: str) -> None:
    rules = [
        allow("unmask", when={"context.role": "officer"}),
        deny("read", models="Order", when={"old.total": 3}, id="secret"),
    ]
    db = DataFlow(database_url, protection=rules)
    declare_shop(db)
    async with db:
        ann, _ = await fill(db)
        with pytest.raises(PartialViewError, match="only masked: give leave") as masked:
            await db.privacy.export_subject(ann["id"])
        with (
            db.acting("olga", role="officer"),
            pytest.raises(PartialViewError, match="hide rows of Order"),
        ):
            await db.privacy.export_subject(ann["id"])
    await db.aclose()

    assert masked.value.fields[:2] == ("mail", "name")


async def test_more_than_a_page_of_rows_is_exported(shop: DataFlow) -> None:
    ann, bob = await fill(shop)
    for each in (ann, bob):
        await shop["Order"].bulk_create(
            [{"customer_id": each["id"], "address": "x"} for _ in range(1100)]
        )
    export = await shop.privacy.export_subject(ann["id"])

    assert len(export.records["Order"]) == 1102
    assert len({each["id"] for each in export.records["Order"]}) == 1102


def a_model(db: DataFlow, name: str, options: object = None, **references: str) -> None:
    body = {
        "__annotations__": dict.fromkeys(references, int),
        **{k: field(references=v) for k, v in references.items()},
    }
    if options is not None:
        body["__dataflow__"] = options
    db.model(type(name, (), body))


async def test_an_ambiguous_way_must_be_declared(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url) as db:
        a_model(db, "Person", {"subject": True})
        a_model(db, "Order", person_id="Person")
        a_model(db, "Review", person_id="Person", order_id="Order")
        person = await db["Person"].create()
        order = await db["Order"].create(person_id=person["id"])
        await db["Review"].create(person_id=person["id"], order_id=order["id"])
        with pytest.raises(PrivacyError, match=r"several ways \(person, order\)"):
            await db.privacy.export_subject(person["id"])
        for said in ("order", "person_id", ["order", "person"]):
            a_model(
                db, "Review", {"subject": said}, person_id="Person", order_id="Order"
            )
            export = await db.privacy.export_subject(person["id"])
            assert len(export.records["Review"]) == 1
        a_model(db, "Review", {"subject": False}, person_id="Person", order_id="Order")
        export = await db.privacy.export_subject(person["id"])
        assert "Review" not in export.records
        a_model(db, "Review", {"subject": "ordr"}, person_id="Person", order_id="Order")
        with pytest.raises(PrivacyError, match="did you mean 'order'"):
            await db.privacy.export_subject(person["id"])
    await db.aclose()


async def test_models_that_refer_to_each_other_end(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url, auto_migrate=False) as db:
        a_model(db, "Person", {"subject": True})
        a_model(db, "Order", person_id="Person", basket_id="Basket")
        a_model(db, "Basket", order_id="Order")
        map_ = db.privacy._map(None)
    await db.aclose()

    assert [each.name for each in map_.models] == ["Person", "Order", "Basket"]


async def test_the_model_of_a_person_is_found_or_named(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url) as db:
        a_model(db, "Thing")
        with pytest.raises(PrivacyError, match="declare one with 'subject': True"):
            await db.privacy.export_subject(1)
        a_model(db, "Person", {"subject": True})
        a_model(db, "Employee", {"subject": True})
        with pytest.raises(PrivacyError, match="say model='Person'"):
            await db.privacy.export_subject(1)
        with pytest.raises(PrivacyError, match="did you mean 'Person'"):
            await db.privacy.export_subject(1, model="Persn")
        with pytest.raises(PrivacyError, match="declare it with"):
            await db.privacy.export_subject(1, model="Thing")
        employee = await db["Employee"].create()
        export = await db.privacy.export_subject(employee["id"], model="Employee")
    await db.aclose()

    assert export.records == {"Employee": [{"id": 1}]}
