from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from math import copysign, inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.models import MismatchError, encode_json, plain_json
from dataflow.models.types._json import JSON, _check, document, structure

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


class Address(msgspec.Struct):
    street: str
    size: float = 0.0
    price: Decimal | None = None
    at: datetime | None = None
    more: Any = None


@given(FLOATS)
def test_a_float_stays_a_float_when_written_out_as_numeric_does(value: float) -> None:
    value = document(list)([value])[0]
    text = encode_json([value]).strip("[]")
    # What PostgreSQL does with it: keep the digits, write them without exponent.
    written = format(Decimal(text), "f")

    back = msgspec.json.decode(written)
    assert type(back) is float
    assert back == value


def test_large_floats_are_written_out_wherever_they_are() -> None:
    value = {"a": [1e22, "1e22", 7, None, {"b": -1e16}]}

    assert encode_json(value) == (
        '{"a":[10000000000000000000000.0,"1e22",7,null,{"b":-10000000000000000.0}]}'
    )


def test_keys_are_sorted_so_equal_values_have_one_text() -> None:
    assert encode_json({"b": 1, "a": 2}) == '{"a":2,"b":1}'


def test_a_document_is_copied_with_tuples_as_lists() -> None:
    value = {"a": (1, {"b": "c"}), "d": 1.5, "e": True, "f": None}
    result = document(dict)(value)

    assert result == {"a": [1, {"b": "c"}], "d": 1.5, "e": True, "f": None}
    assert result["a"] is not value["a"]


def test_a_negative_zero_inside_becomes_zero() -> None:
    assert copysign(1, document(list)([-0.0])[0]) == 1


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ({"a": {"b": [1, inf]}}, "a float that is not finite at .a.b[1]"),
        ({"a": 2**63}, "an int beyond 64 bits at .a"),
        ({"a": [{1, 2}]}, "set at .a[0]"),
        ({"a": "x\0"}, "a str with a NUL character at .a"),
        ({"a\0": 1}, "a str with a NUL character at .a\0"),
        ({"a": {1: 2}}, "int as key at .a"),
        ({1: 2}, "int as key"),
        ({"a": b""}, "bytes at .a"),
    ],
)
def test_what_json_does_not_hold_is_told_with_its_place(
    value: object, came: str
) -> None:
    with pytest.raises(MismatchError) as caught:
        document(dict)(value)

    assert str(caught.value) == f"takes {JSON}, not {came}"


@pytest.mark.parametrize(
    ("root", "value", "message"),
    [
        (dict, [1], f"takes dict of {JSON}, not list"),
        (dict, None, f"takes dict of {JSON}, not None"),
        (list, {}, f"takes list of {JSON}, not dict"),
        (list, "ab", f"takes list of {JSON}, not str"),
    ],
)
def test_the_outermost_value_has_the_declared_class(
    root: type, value: object, message: str
) -> None:
    with pytest.raises(MismatchError) as caught:
        document(root)(value)

    assert str(caught.value) == message


def test_nesting_is_limited_so_a_cycle_is_refused_too() -> None:
    cycle: dict[str, Any] = {}
    cycle["a"] = cycle
    with pytest.raises(MismatchError, match="nested over 100 levels"):
        document(dict)(cycle)


def test_a_struct_is_taken_as_it_is_or_made_from_a_dict() -> None:
    check = structure(Address)
    given_ = Address("a", 1.5, Decimal("1.50"))

    assert check(given_) == given_
    assert check({"street": "a", "size": 2, "price": "3"}) == Address(
        "a", 2.0, Decimal(3)
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "takes Address, not int"),
        ({"street": 5}, "takes Address, not dict that does not fit at .street"),
        ({}, "takes Address, not dict that does not fit"),
        (Address(5), "takes Address, not Address that does not fit at .street"),  # type: ignore[arg-type]
        (
            {"street": "", "size": inf},
            "takes Address, not a float that is not finite at .size",
        ),
        (
            Address("", more=object()),
            "takes Address, not Address with values that are not JSON",
        ),
    ],
)
def test_a_struct_that_does_not_fit_is_told_without_its_values(
    value: object, message: str
) -> None:
    with pytest.raises(MismatchError) as caught:
        structure(Address)(value)

    assert str(caught.value) == message


TEXTS: list[tuple[Any, bytes | None]] = [
    ({}, b"{}"),
    (
        {"b": 1, "a": [None, True, 0.5, "x", {"c": []}]},
        b'{"a":[null,true,0.5,"x",{"c":[]}],"b":1}',
    ),
    ({"a": -0.0}, None),
    ({"a": 1e16}, None),
    ({"a": float("nan")}, None),
    ({"a": 2**63}, None),
    ({"a": 2**64}, None),
    ({"a": "\0"}, None),
    ({"a\0": 1}, None),
    ({"a": "\ud800"}, None),
    ({1: 1}, None),
    ({"a": (1,)}, None),
    ({"a": {1}}, None),
    ({"a": datetime(2024, 1, 1)}, None),  # noqa: DTZ001
    ({"a": Decimal(1)}, None),
    ({"a": msgspec.Raw(b"{")}, None),
    ({"a": object()}, None),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_plain_json_is_written_at_once_and_other_left_alone(
    value: Any, text: bytes | None
) -> None:
    assert plain_json(value) == (None if text is None else (text, value))


def test_json_that_holds_itself_is_not_plain_but_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert plain_json(endless) is None
    with pytest.raises(MismatchError, match="nested over 100 levels"):
        document(list)(endless)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["1e5", "-0.0", "\\u0000", "\0"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner)
        | st.dictionaries(st.integers(), inner)
    ),
)


@given(VALUES)
def test_plain_json_is_what_the_check_makes_of_it(value: Any) -> None:
    plain = plain_json(value)
    if plain is not None:
        text, copy = plain
        checked = _check(value, 100)
        assert text.decode() == encode_json(checked)
        # As text, since True == 1 == 1.0.
        assert encode_json(copy) == encode_json(checked)
        assert repr(checked) == repr(value)
