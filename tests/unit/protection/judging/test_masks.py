from __future__ import annotations

import pytest

from dataflow import field
from dataflow.audit import Hidden
from dataflow.models import Model, declare
from dataflow.protection.judging._masks import HIDDEN, mask_of


class Person:
    mail: str = field(pii="email")
    phone: str = field(pii="phone")
    name: str = field(mask="full")
    note: str = field(mask="null")
    age: int = field(mask="full")


PERSON: Model = declare(Person)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("mail", "ada@example.org", "a***@example.org"),
        ("mail", "@", "***@"),
        ("phone", "0041445556677", "***6677"),
        ("phone", "12345678", "***"),
        ("name", "Ada", "***"),
        ("note", "secret", None),
        ("age", 36, None),
    ],
)
def test_a_mask_leaves_what_it_is_to_leave(
    name: str, value: object, shown: object
) -> None:
    assert mask_of(PERSON.field(name))(value) == shown


def test_what_is_sealed_is_hidden_wholly() -> None:
    class Person:
        mail: str | None = field(default=None, mask="partial")

    mask = mask_of(declare(Person).field("mail"))

    assert mask(Hidden.LOCKED) == HIDDEN
