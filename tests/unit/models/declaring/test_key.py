from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow.errors import ModelError
from dataflow.models import Model, declare, field


def key_of(model: Model) -> tuple[tuple[str, ...], str | None]:
    return model.key, model.generated_key


class Keys:
    class Declared:
        id: int
        name: str

    class WithNone:
        id: int = None  # type: ignore[assignment]

    class Nullable:
        id: int | None = None

    class Text:
        id: str

    class Factory:
        id: UUID = field(default_factory=uuid4)

    class Marked:
        code: str = field(primary_key=True)

    class Number:
        user_id: int = field(primary_key=True)

    class Generated:
        user_id: int | None = field(primary_key=True, default=None)

    class Composite:
        order_id: int = field(primary_key=True)
        line: int = field(primary_key=True, default=1)

    class Option:
        name: str
        code: str
        __dataflow__: ClassVar = {"primary_key": ["code", "name"]}

    class OptionOfOne:
        code: str
        __dataflow__: ClassVar = {"primary_key": "code"}

    class Both:
        code: str = field(primary_key=True)
        __dataflow__: ClassVar = {"primary_key": ["code"]}

    class GeneratedFactory:
        id: int = field(default_factory=lambda: 5)


@pytest.mark.parametrize(
    ("cls", "key", "generated"),
    [
        (Keys.Declared, ("id",), "id"),
        (Keys.WithNone, ("id",), "id"),
        (Keys.Nullable, ("id",), "id"),
        (Keys.Text, ("id",), None),
        (Keys.Factory, ("id",), None),
        (Keys.Marked, ("code",), None),
        (Keys.Number, ("user_id",), None),
        (Keys.Generated, ("user_id",), "user_id"),
        (Keys.Composite, ("order_id", "line"), None),
        (Keys.Option, ("code", "name"), None),
        (Keys.OptionOfOne, ("code",), None),
        (Keys.Both, ("code",), None),
        (Keys.GeneratedFactory, ("id",), None),
    ],
)
def test_every_model_has_a_key(
    cls: type, key: tuple[str, ...], generated: str | None
) -> None:
    model = declare(cls)
    fields = [model.field(name) for name in key]

    assert key_of(model) == (key, generated)
    assert all(each.is_key and not each.is_nullable for each in fields)
    assert all(each.is_generated == (each.name == generated) for each in fields)


def test_a_generated_key_is_not_required_and_has_no_default() -> None:
    key = declare(Keys.Nullable).field("id")

    assert not key.is_required
    assert not key.has_default


def test_a_key_that_nobody_makes_is_required() -> None:
    assert declare(Keys.Text).field("id").is_required
    assert declare(Keys.Number).field("user_id").is_required
    assert not declare(Keys.Factory).field("id").is_required


class Wrong:
    class Constant:
        id: int = 5

    class NullableText:
        id: str | None

    class NullablePart:
        a: int = field(primary_key=True)
        b: int | None = field(primary_key=True, default=None)

    class Lists:
        id: list[str]

    class Document:
        id: dict[str, Any]

    class Fraction:
        id: float

    class Unknown:
        code: str
        __dataflow__: ClassVar = {"primary_key": ["cod"]}

    class Far:
        code: str
        __dataflow__: ClassVar = {"primary_key": ["xyz"]}

    class Twice:
        code: str
        __dataflow__: ClassVar = {"primary_key": ["code", "code"]}

    class Disagree:
        a: str = field(primary_key=True)
        b: str
        __dataflow__: ClassVar = {"primary_key": ["b"]}


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Wrong.Constant, "with a constant default every row would have the same key"),
        (Wrong.NullableText, "NullableText.id cannot be declared: a key is never None"),
        (Wrong.NullablePart, "NullablePart.b cannot be declared: a key is never None"),
        (Wrong.Lists, "list[str] cannot be a key: use int, str or UUID"),
        (Wrong.Document, "dict cannot be a key"),
        (Wrong.Fraction, "float cannot be a key"),
        (Wrong.Unknown, "there is no field 'cod': did you mean 'code'?"),
        (Wrong.Far, "there is no field 'xyz': declare it"),
        (Wrong.Twice, "names each field once, not ['code', 'code']"),
        (Wrong.Disagree, "primary_key=True marks a, __dataflow__ says b: keep one"),
    ],
)
def test_what_cannot_be_a_key_is_refused(cls: type, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        declare(cls)

    assert message in str(caught.value)
