from __future__ import annotations

from typing import Annotated, Any, NewType

import pytest

from dataflow.errors import ModelError
from dataflow.models import Action, ForeignKey, Index, References, declare, field

wrong: Any = field
"""The same for what type checkers refuse."""

noted: Any = Annotated[int, References("Customer")]
cascading: Any = Annotated[int, References("Customer", on_delete="cascade")]


class Customer:
    code: str


def foreign_keys(annotation: Any, written: Any = ...) -> tuple[ForeignKey, ...]:
    body: dict[str, Any] = {"__annotations__": {"customer_id": annotation}}
    if written is not ...:
        body["customer_id"] = written
    return declare(type("Order", (), body)).foreign_keys


def grouped(*groups: Any, **options: Any) -> tuple[ForeignKey, ...]:
    annotations = {"a": int, "b": int | None, "c": dict[str, Any]}
    body = {"__annotations__": annotations, "__foreign_keys__": list(groups), **options}
    return declare(type("Order", (), body)).foreign_keys


def refusal(*arguments: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        foreign_keys(*arguments)
    return caught.value


PLAIN = ForeignKey(fields=("customer_id",), target="Customer")


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (int, field(references="Customer")),
        (int, field(references=Customer)),
        (noted, ...),
        (Annotated[int, References(Customer)], 5),
        (noted | None, None),
        (Annotated[int | None, "another note", References("Customer")], ...),
        (Annotated[Annotated[int, References("Customer")], "outside"], ...),
    ],
)
def test_a_field_refers_to_a_model_by_field_or_by_a_note(
    annotation: Any, written: Any
) -> None:
    assert foreign_keys(annotation, written) == (PLAIN,)


def test_a_note_is_found_in_a_type_of_ones_own() -> None:
    new_type: Any = NewType
    (foreign_key,) = foreign_keys(new_type("Id", cascading))

    assert foreign_key.on_delete is Action.CASCADE


def test_a_field_may_refer_to_a_field_with_actions_and_names() -> None:
    written = field(
        references="Customer.code",
        on_delete="set_null",
        on_update="cascade",
        relation="buyer",
        backref="bought",
    )
    (foreign_key,) = foreign_keys(str | None, written)

    assert foreign_key == ForeignKey(
        fields=("customer_id",),
        target="Customer",
        to=("code",),
        on_delete=Action.SET_NULL,
        on_update=Action.CASCADE,
        relation="buyer",
        backref="bought",
    )
    assert foreign_key.field == "customer_id"


def test_what_refers_to_nothing_has_no_foreign_keys() -> None:
    assert foreign_keys(int) == ()
    assert foreign_keys(list[Annotated[int, References("Customer")]]) == ()


def test_an_index_serves_the_foreign_key_unless_there_is_one() -> None:
    class Order:
        customer_id: int = field(references="Customer")
        shop_id: int = field(references="Shop", index=True)
        profile_id: int = field(references="Profile", unique=True)
        a: int
        b: int
        __foreign_keys__ = [{"fields": ["b", "a"], "references": "Pair"}]  # noqa: RUF012
        __indexes__ = [["a", "b", "shop_id"]]  # noqa: RUF012

    assert declare(Order).indexes == (
        Index(("shop_id",)),
        Index(("a", "b", "shop_id")),
        Index(("customer_id",)),
    )


@pytest.mark.parametrize(
    ("annotation", "written", "problem"),
    [
        (int, field(references="A.b.c"), "'Model' or 'Model.field'"),
        (int, field(references="A."), "'Model' or 'Model.field'"),
        (int, field(references=".a"), "'Model' or 'Model.field'"),
        (int, field(references=""), "names a model"),
        (int, field(on_delete="cascade"), "names a model"),
        (int, wrong(references=5), "and is int"),
        (int, wrong(references="A", on_delete="cascde"), "did you mean 'cascade'"),
        (int, wrong(references="A", on_update="x"), "there are no_action"),
        (int, field(references="A", on_delete="set_null"), "declare it `| None`"),
        (int, field(references="A", relation="a.b"), "a name without dots"),
        (int, field(references="A", backref="$a"), "a name without dots"),
        (dict[str, Any], field(references="A"), "refers to nothing: hold a key"),
        (noted, field(references="Customer"), "keep one"),
    ],
)
def test_a_malformed_reference_is_refused(
    annotation: Any, written: Any, problem: str
) -> None:
    error = refusal(annotation, written)

    assert problem in str(error)
    assert (error.model, error.field) == ("Order", "customer_id")


def test_several_fields_refer_together() -> None:
    given = {"fields": ["a", "b"], "references": "Pair", "to": ["x", "y"]}
    expected = ForeignKey(fields=("a", "b"), target="Pair", to=("x", "y"))

    assert grouped(given) == (expected,)
    assert grouped(__dataflow__={"foreign_keys": [given]}) == (expected,)
    assert expected.field is None


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ("a", "holds dicts such as"),
        ({"field": ["a"], "references": "A"}, "did you mean 'fields'"),
        ({"zzz": 1}, "there are fields, references"),
        ({"fields": 5, "references": "A"}, "'fields' in __foreign_keys__ is a list"),
        ({"fields": [5], "references": "A"}, "'fields' in __foreign_keys__ is a list"),
        ({"fields": ["a", "bb"], "references": "A"}, "there is no field 'bb'"),
        ({"fields": [], "references": "A"}, "names each field once"),
        ({"fields": ["a", "b"]}, "names a model"),
        ({"fields": "a", "references": "A.x", "to": "x"}, "'Model' or 'Model.field'"),
        (
            {"fields": ["b", "a"], "references": "A", "on_delete": "set_null"},
            "declare it `| None`",
        ),
    ],
)
def test_a_malformed_group_is_refused(group: Any, problem: str) -> None:
    with pytest.raises(ModelError) as caught:
        grouped(group)

    assert problem in str(caught.value)


def test_the_same_fields_refer_to_one_model() -> None:
    group = {"fields": ["a"], "references": "A"}
    with pytest.raises(ModelError, match="refers to two models"):
        grouped(group, {**group, "references": "B"})
