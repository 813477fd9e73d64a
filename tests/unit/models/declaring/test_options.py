from __future__ import annotations

from typing import ClassVar

import pytest

from dataflow.errors import ModelError
from dataflow.models import Index, declare, field


class Order:
    class WithDict:
        a: str
        b: int
        __dataflow__: ClassVar = {
            "table_name": "orders",
            "multi_tenant": False,
            "unique": ("a", ("a", "b")),
            "indexes": [["b"], {"columns": ["b", "a"], "unique": True}],
        }
        __indexes__: ClassVar = [("a",), {"name": "u", "fields": ["a"], "unique": True}]

    class Repeated:
        a: str
        __dataflow__: ClassVar = {"primary_key": "a", "unique": ["a"], "indexes": ["a"]}

    class Both:
        __tablename__ = "x"
        __dataflow__: ClassVar = {"table_name": "x"}


def test_options_become_table_unique_groups_and_indexes() -> None:
    model = declare(Order.WithDict)

    assert model.table == "orders"
    assert model.uniques == (("a",), ("a", "b"), ("b", "a"))
    assert model.indexes == (
        Index(("b", "a"), is_unique=True),
        Index(("a",), "u", is_unique=True),
        Index(("b",)),
    )


def test_what_repeats_the_key_is_left_out() -> None:
    model = declare(Order.Repeated)

    assert model.uniques == ()
    assert model.indexes == ()


def test_the_table_may_be_named_twice_alike() -> None:
    assert declare(Order.Both).table == "x"


class Wrong:
    class NoDict:
        __dataflow__: ClassVar = ["timestamps"]

    class Unknown:
        __dataflow__: ClassVar = {"timestamp": True}

    class Far:
        __dataflow__: ClassVar = {"xyz": True}

    class Later:
        __dataflow__: ClassVar = {"audit_log": True}

    class Flag:
        __dataflow__: ClassVar = {"timestamps": 1}

    class NoList:
        __dataflow__: ClassVar = {"unique": "name"}

    class NoNames:
        __dataflow__: ClassVar = {"unique": [[1]]}

    class Disagree:
        __tablename__ = "a"
        __dataflow__: ClassVar = {"table_name": "b"}

    class Number:
        __tablename__ = 5

    class IndexKey:
        a: str
        __indexes__: ClassVar = [{"field": ["a"]}]

    class EmptyIndex:
        a: str
        __indexes__: ClassVar = [{"name": "i"}]

    class IndexName:
        a: str
        __indexes__: ClassVar = [{"name": 5, "fields": ["a"]}]

    class LongIndexName:
        a: str
        __indexes__: ClassVar = [{"name": "i" * 64, "fields": ["a"]}]

    class Missing:
        name: str
        __indexes__: ClassVar = [["nmae"]]

    class Compound:
        tags: list[str]
        __indexes__: ClassVar = [["tags"]]


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Wrong.NoDict, "NoDict cannot be declared: __dataflow__ is a dict of options"),
        (
            Wrong.Unknown,
            "__dataflow__ knows no option 'timestamp': did you mean 'timestamps'?",
        ),
        (
            Wrong.Far,
            (
                "__dataflow__ knows no option 'xyz': there are audit, erasure, "
                "foreign_keys, indexes, legal_hold, multi_tenant, primary_key, protect, "
                "renamed_from, retention, soft_delete, subject, table_name, timestamps, "
                "unique, versioned"
            ),
        ),
        (
            Wrong.Later,
            (
                "this version does not provide 'audit_log', and leaving it out silently "
                "would be unsafe: remove it from __dataflow__"
            ),
        ),
        (Wrong.Flag, "__dataflow__['timestamps'] is True or False"),
        (Wrong.NoList, "unique is a list, not str"),
        (Wrong.NoNames, "unique names fields: each is a str"),
        (Wrong.Disagree, "__tablename__ and __dataflow__['table_name'] disagree"),
        (Wrong.Number, "the name of a table is a str, not int"),
        (
            Wrong.IndexKey,
            "__dataflow__ knows no key of an index 'field': did you mean 'fields'?",
        ),
        (Wrong.EmptyIndex, "a key or an index names each field once, not []"),
        (Wrong.IndexName, "the name of an index is a str of 1 to 63 bytes"),
        (Wrong.LongIndexName, "the name of an index is a str of 1 to 63 bytes"),
        (Wrong.Missing, "there is no field 'nmae': did you mean 'name'?"),
        (
            Wrong.Compound,
            "Compound.tags cannot be declared: list[str] cannot be unique or indexed",
        ),
    ],
)
def test_a_malformed_option_is_refused(cls: type, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        declare(cls)

    assert message in str(caught.value)


@pytest.mark.parametrize("option", ["audit_log"])
def test_an_option_of_a_later_version_is_never_ignored(option: str) -> None:
    cls = type("User", (), {"__dataflow__": {option: True}})

    with pytest.raises(ModelError, match=f"does not provide '{option}'"):
        declare(cls)


def test_table_and_field_say_what_they_were_called_before() -> None:
    class Before:
        __dataflow__: ClassVar = {"renamed_from": "earlier"}

    class After(Before):
        name: str = field(renamed_from="title")

    class Wrong:
        __dataflow__: ClassVar = {"renamed_from": 3}

    assert declare(Before).options == {"renamed_from": "earlier"}
    assert declare(After).options == {}
    assert declare(After).field("name").renamed_from == "title"
    with pytest.raises(ModelError, match="the name of the table before"):
        declare(Wrong)
