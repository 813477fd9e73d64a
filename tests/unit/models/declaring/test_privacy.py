"""What a class says of the persons whose data its rows hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import PII, field
from dataflow.errors import ModelError
from dataflow.models import Privacy, Retention, declare


def with_options(**options: object) -> type:
    body = {
        "__annotations__": {"made": datetime, "held": bool, "name": str},
        "__dataflow__": options,
    }
    return type("Person", (), body)


def test_a_note_marks_a_field_wherever_it_stands() -> None:
    class Person:
        mail: Annotated[str, PII("email")]
        phone: Annotated[str, PII("phone")] | None
        name: Annotated[str | None, PII("name", erased="nobody")]
        other: str = field(pii="note")
        number: int

    model = declare(Person)

    marks = {each.name: each.marks.pii for each in model.personal}
    assert marks == {"mail": "email", "phone": "phone", "name": "name", "other": "note"}
    assert model.field("mail").marks.mask == "partial"
    assert model.field("name").marks.erased == "nobody"


def test_a_mask_may_be_said_beside_the_note() -> None:
    class Person:
        mail: Annotated[str, PII("email")] = field(mask="full")

    assert declare(Person).field("mail").marks.mask == "full"


class Wrong:
    class Twice:
        mail: Annotated[str, PII("email")] = field(pii="email")

    class NoWord:
        mail: Annotated[str, PII("")]

    class Unfit:
        age: Annotated[int, PII("age", erased="none")]


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Wrong.Twice, "keep one"),
        (Wrong.NoWord, "a word"),
        (Wrong.Unfit, "when it is erased takes int, not str"),
    ],
)
def test_a_wrong_note_is_refused(cls: type, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        declare(cls)


def test_options_say_whose_the_rows_are_and_how_long_they_stay() -> None:
    cls = with_options(
        subject=True,
        erasure={"keep": "tax law"},
        retention={"after_days": 90, "field": "made", "action": "archive"},
        legal_hold="held",
    )

    assert declare(cls).privacy == Privacy(
        is_subject=True,
        paths=(),
        erasure="keep",
        reason="tax law",
        retention=Retention("made", 90, "archive"),
        hold="held",
    )


@pytest.mark.parametrize(
    ("said", "paths"),
    [(False, ()), ("customer", ("customer",)), (["a", "b"], ("a", "b"))],
)
def test_a_path_to_the_subject_may_be_named(
    said: object, paths: tuple[str, ...]
) -> None:
    assert declare(with_options(subject=said)).privacy.paths == paths


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subject": 3}, "each row is a person"),
        ({"subject": []}, "each row is a person"),
        ({"erasure": "anonymize"}, "did you mean 'anonymise'"),
        ({"erasure": {"keep": ""}}, "the reason"),
        ({"retention": 3}, "is a dict"),
        ({"retention": {"after_day": 3}}, "did you mean 'after_days'"),
        ({"retention": {"xyz": 3}}, "after_days, field, action"),
        ({"retention": {"after_days": 0, "field": "made"}}, "days from 1"),
        ({"retention": {"after_days": True, "field": "made"}}, "days from 1"),
        (
            {"retention": {"after_days": 1, "field": "made", "action": "drop"}},
            "one of delete",
        ),
        ({"retention": {"after_days": 1, "field": "mad"}}, "did you mean 'made'"),
        ({"retention": {"after_days": 1}}, "there are"),
        ({"retention": {"after_days": 1, "field": "held"}}, "counts from a datetime"),
        ({"legal_hold": "name"}, "is a bool"),
        ({"legal_hold": "hold"}, "did you mean 'held'"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        declare(with_options(**options))


def test_a_model_says_nothing_by_default() -> None:
    class Thing:
        name: str
        __dataflow__: ClassVar[dict[str, object]] = {}

    assert declare(Thing).privacy == Privacy()
