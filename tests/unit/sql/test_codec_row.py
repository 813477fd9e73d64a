from __future__ import annotations

import gc
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dataflow.errors import StoredValueError, UnknownFieldError
from dataflow.models import declare
from dataflow.sql._dialect import POSTGRESQL, SQLITE, Dialect
from dataflow.sql.tables._row import RowCodec


class User:
    name: str
    active: bool = True
    joined: datetime | None = None


class Plain:
    name: str
    age: int


USER, PLAIN = declare(User), declare(Plain)
INSTANT = datetime(2026, 1, 2, tzinfo=UTC)
VALUES = {"id": 1, "name": "Ada", "active": True, "joined": INSTANT}


def test_a_row_travels_in_the_order_of_the_model() -> None:
    rows = RowCodec(USER, SQLITE)
    encoded = rows.encode({**VALUES, "more": 5})

    assert rows.names == ("id", "name", "active", "joined")
    assert encoded == (1, "Ada", 1, "2026-01-02T00:00:00.000000+00:00")
    assert rows.decode(encoded) == VALUES


def test_none_passes_by_the_codecs() -> None:
    rows = RowCodec(USER, SQLITE)
    values = {**VALUES, "joined": None}

    assert rows.encode(values) == (1, "Ada", 1, None)
    assert rows.decode((1, "Ada", 1, None)) == values


def test_a_row_may_be_of_some_fields_in_any_order() -> None:
    rows = RowCodec(USER, SQLITE, ["active", "name"])

    assert rows.encode(VALUES) == (1, "Ada")
    assert rows.decode((0, "Ada")) == {"active": False, "name": "Ada"}


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda each: each.name)
def test_plain_columns_pass_as_they_are(dialect: Dialect) -> None:
    rows = RowCodec(PLAIN, dialect)

    assert rows.encode({"age": 36, "id": 1, "name": "Ada"}) == (1, "Ada", 36)
    assert rows.decode((1, "Ada", 36)) == {"id": 1, "name": "Ada", "age": 36}


@pytest.mark.parametrize(
    ("fields", "row"), [((), ()), (("name",), ("Ada",)), (("active",), (1,))]
)
def test_rows_of_few_columns_are_tuples_too(
    fields: tuple[str, ...], row: tuple[object, ...]
) -> None:
    rows = RowCodec(USER, SQLITE, fields)

    assert rows.encode(VALUES) == row
    assert rows.decode(row) == {name: VALUES[name] for name in fields}


def test_an_unknown_field_is_told() -> None:
    with pytest.raises(UnknownFieldError, match="User has no 'nme'"):
        RowCodec(USER, SQLITE, ["nme"])


def test_a_missing_value_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        RowCodec(USER, SQLITE).encode({"id": 1})


def test_a_stored_value_that_does_not_fit_names_its_field() -> None:
    with pytest.raises(StoredValueError) as caught:
        RowCodec(USER, SQLITE).decode((1, "Ada", 1, "soon"))

    error = caught.value
    assert (error.model, error.field) == ("User", "joined")
    assert error.expected == "datetime (timezone-aware) or None"
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda each: each.name)
@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_many_rows_are_decoded_as_one_by_one(count: int, dialect: Dialect) -> None:
    codec = RowCodec(USER, dialect)
    rows = [codec.encode({**VALUES, "id": number}) for number in range(count)]
    rows += [(count, "none", None, None)]

    assert codec.decode_many(rows) == [codec.decode(row) for row in rows]
    assert codec.decode_many(rows)[-1]["joined"] is None


def test_rows_of_one_column_and_of_none_are_decoded_too() -> None:
    assert RowCodec(USER, SQLITE, ["active"]).decode_many([(1,), (0,)]) == [
        {"active": True},
        {"active": False},
    ]
    assert RowCodec(USER, SQLITE, []).decode_many([(), ()]) == [{}, {}]


def test_names_of_fields_never_become_code() -> None:
    name = "{0}'); raise SystemExit  #"
    model = declare(type("Odd", (), {"__annotations__": {"name": str}}))
    field = replace(model.fields[1], name=name)
    odd = replace(model, fields=(model.fields[0], field))

    assert RowCodec(odd, SQLITE).decode((1, "a")) == {"id": 1, name: "a"}


def test_a_value_that_does_not_fit_names_its_field_among_many_rows() -> None:
    rows = [(1, "Ada", 1, None)] * 200 + [(2, "Bob", 2, "soon")]
    with pytest.raises(StoredValueError) as caught:
        RowCodec(USER, SQLITE).decode_many(rows)

    error = caught.value
    assert (error.model, error.field) == ("User", "active")
    assert isinstance(error.__cause__, KeyError)
    assert gc.isenabled()


def test_a_row_of_another_width_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="unpack"):
        RowCodec(USER, SQLITE).decode((1, "Ada"))
    with pytest.raises(ValueError, match="shorter"):
        RowCodec(USER, SQLITE).decode_many([(1, "Ada")])


def test_a_collector_that_is_off_stays_off() -> None:
    rows = [(1, "Ada", 1, None)] * 200
    gc.disable()
    try:
        RowCodec(USER, SQLITE).decode_many(rows)
        is_off = not gc.isenabled()
    finally:
        gc.enable()

    assert is_off
