from __future__ import annotations

import pytest

from dataflow.sql import json_at

TEXT = '{"a":{"0":true,"b":[1,2.5,"x",null]},"n":1e400,"big":99999999999999999999,"s":"YQ=="}'


@pytest.mark.parametrize(
    ("steps", "reading", "expected"),
    [
        ('["a","b",0]', "number", 1),
        ('["a","b",1]', "number", 2.5),
        ('["a","b",2]', "text", "x"),
        ('["a",0]', "flag", True),
        ('["a","0"]', "flag", True),
        ('["a","b","0"]', "number", None),  # a key is no index
        ('["a","b",9]', "anything", None),
        ('["a","b",0,"c"]', "anything", None),
        ('["a","b",3]', "anything", True),
        ('["a","b",3]', "value", None),
        ('["a","b",2]', "value", True),
        ('["a","b"]', "size", 4),
        ('["a"]', "size", None),
        ('["a","b",2]', "number", None),
        ('["a","b",0]', "text", None),
        ('["a","b",0]', "flag", None),
        ('["a",0]', "number", None),
        ('["big"]', "number", 1e20),
        ('["s"]', "bytes", b"a"),
        ('["a"]', "bytes", None),
        ('["x"]', "value", None),
        ("[]", "anything", True),
    ],
)
def test_a_value_is_read_as_its_type_or_not_at_all(
    steps: str, reading: str, expected: object
) -> None:
    found = json_at(TEXT.replace('"n":1e400,', ""), steps, reading)

    assert found == expected
    assert type(found) is type(expected)


def test_what_is_no_json_holds_nothing() -> None:
    for document in (None, "", "{", '{"a":1e400}'):
        assert json_at(document, '["a"]', "number") is None
