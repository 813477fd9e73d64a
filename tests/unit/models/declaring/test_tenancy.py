from __future__ import annotations

from typing import Any

import pytest

from dataflow.errors import ModelError
from dataflow.models import declare, field


def _declared(annotations: dict[str, Any], options: dict[str, Any], **more: Any) -> Any:
    given = {"multi_tenant": True, **options}
    names = {"__annotations__": annotations, "__dataflow__": given, **more}
    return declare(type("Note", (), names))


def test_a_model_with_tenants_has_a_field_for_them() -> None:
    model = _declared({"name": str}, {})

    assert model.names == ("id", "name", "tenant_id")
    assert model.tenant_field == "tenant_id"
    assert model.key == ("id",)
    assert model.identity == ("id", "tenant_id")
    assert not model.field("tenant_id").is_required


def test_the_field_may_be_declared_where_it_is_wanted() -> None:
    model = _declared({"tenant_id": str, "name": str}, {})

    assert model.names == ("id", "tenant_id", "name")


def test_other_models_have_none() -> None:
    model = declare(type("Note", (), {"__annotations__": {"tenant_id": str}}))

    assert model.tenant_field is None
    assert model.identity == model.key


def test_what_is_unique_is_said_as_it_is_for_one_tenant() -> None:
    model = _declared(
        {"name": str, "n": int},
        {
            "unique": [["tenant_id", "name"]],
            "indexes": [
                {"fields": ["n", "tenant_id"], "unique": True, "name": "by_n"},
                ["tenant_id", "n"],
            ],
        },
    )

    assert model.uniques == (("name",), ("n",))
    assert [each.fields for each in model.indexes] == [("n",), ("tenant_id", "n")]


@pytest.mark.parametrize(
    ("annotations", "options", "more", "problem"),
    [
        ({"tenant_id": int}, {}, {}, "makes it a str, not int"),
        ({"tenant_id": str | None}, {}, {}, "makes it a str, not str or None"),
        ({"name": str}, {"unique": [["tenant_id"]]}, {}, "one row at most"),
        (
            {"tenant_id": str},
            {},
            {"tenant_id": field(primary_key=True)},
            "every key has it by itself",
        ),
    ],
)
def test_what_makes_no_sense_with_tenants_is_refused(
    annotations: dict[str, Any],
    options: dict[str, Any],
    more: dict[str, Any],
    problem: str,
) -> None:
    with pytest.raises(ModelError, match=problem):
        _declared(annotations, options, **more)
