from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from math import copysign
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.models import Digits, Model, NaiveDatetime, declare
from dataflow.schema import ensure_table
from dataflow.sql import RowCodec, Statement

# What is stored does not depend on the event loop, and one is enough to find out.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Address(msgspec.Struct):
    street: str
    number: int = 0
    size: float = 0.0
    since: datetime | None = None


LIST: Any = list  # to the type checkers, list[type_] is no expression
SCALARS: dict[str, Any] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "money": Annotated[Decimal, Digits(10, 2)],
    "scaled": Annotated[Decimal, Digits(18, 18)],
    "wide": Annotated[Decimal, Digits(30, 5)],
    "whole": Annotated[Decimal, Digits(12, 0)],
    "bool": bool,
    "str": str,
    "bytes": bytes,
    "date": date,
    "time": time,
    "datetime": datetime,
    "naive": NaiveDatetime,
    "timedelta": timedelta,
    "uuid": UUID,
    "color": Color,
    "level": Level,
    "letter": Literal["a", "b"],
    "number": Literal[1, 2],
    "always": Literal[True],
}


def _everything() -> Model:
    annotations: dict[str, Any] = {}
    for name, type_ in SCALARS.items():
        annotations[f"a_{name}"] = type_
        annotations[f"maybe_{name}"] = type_ | None
        annotations[f"list_{name}"] = LIST[type_]
    annotations["a_dict"] = dict[str, Any]
    annotations["maybe_dict"] = dict[str, Any] | None
    annotations["a_list"] = list[Any]
    annotations["a_struct"] = Address
    annotations["maybe_struct"] = Address | None
    annotations["maybe_list_int"] = list[int] | None
    return declare(type("Everything", (), {"__annotations__": annotations}))


EVERYTHING = _everything()
NAMES = tuple(name for name in EVERYTHING.names if name != "id")

MICROSECONDS = 2**63 - 1
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def digits(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Draw any Decimal of that size."""
    largest = 10**precision - 1

    def make(number: int) -> Decimal:
        return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))

    return st.integers(-largest, largest).map(make)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": INTS,
    "float": FLOATS | INTS.map(float),
    "decimal": (
        st.builds(
            Decimal,
            st.from_regex(
                r"-?[0-9]{1,40}\.[0-9]{1,40}(E-?[0-9]{1,2})?", fullmatch=True
            ),
        )
        | st.integers(-(10**999), 10**999).map(Decimal)
    ),
    "money": digits(10, 2),
    "scaled": digits(18, 18),
    "wide": digits(30, 5),
    "whole": digits(12, 0),
    "bool": st.booleans(),
    "str": TEXTS,
    "bytes": st.binary(),
    "date": st.dates(),
    "time": st.times(),
    "datetime": st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.timezones(),
    )
    | st.datetimes(timezones=st.just(UTC)),
    "naive": st.datetimes(),
    "timedelta": st.integers(-MICROSECONDS, MICROSECONDS).map(
        lambda number: timedelta(microseconds=number)
    ),
    "uuid": st.uuids(),
    "color": st.sampled_from(Color),
    "level": st.sampled_from(Level),
    "letter": st.sampled_from(["a", "b"]),
    "number": st.sampled_from([1, 2]),
    "always": st.just(value=True),
}
JSON = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)
DICTS = st.dictionaries(TEXTS, JSON, max_size=4)
STRUCTS = st.builds(
    Address,
    TEXTS,
    INTS,
    FLOATS,
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


def _rows() -> st.SearchStrategy[dict[str, Any]]:
    columns: dict[str, st.SearchStrategy[Any]] = {}
    for name, values in VALUES.items():
        columns[f"a_{name}"] = values
        columns[f"maybe_{name}"] = values | st.none()
        columns[f"list_{name}"] = st.lists(values, max_size=4)
    columns["a_dict"] = DICTS
    columns["maybe_dict"] = DICTS | st.none()
    columns["a_list"] = st.lists(JSON, max_size=4)
    columns["a_struct"] = STRUCTS
    columns["maybe_struct"] = STRUCTS | st.none()
    columns["maybe_list_int"] = st.lists(INTS, max_size=2) | st.none()
    return st.fixed_dictionaries(columns)


def checked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: EVERYTHING.field(name).check(row[name], "test") for name in NAMES}


def exactly(value: Any) -> object:  # any value, in words
    """Return what tells *value* from one that only equals it."""
    kind = type(cast("object", value))
    if kind is dict:
        return {key: exactly(inner) for key, inner in value.items()}
    if kind is list:
        return [exactly(inner) for inner in value]
    if isinstance(value, UUID):
        return value.int  # asyncpg gives a subclass
    return (kind, value, WORDS.get(kind, type)(value))


WORDS: dict[type, Callable[[Any], object]] = {
    float: lambda value: copysign(1, value),
    Decimal: str,
    datetime: lambda value: (value.isoformat(), value.tzinfo),
}


async def store(driver: Driver, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Insert a row; return it as the insert gave it, and as a later read does."""
    dialect = driver.dialect
    codec = RowCodec(EVERYTHING, dialect, NAMES)
    columns = ", ".join(map(dialect.quote, NAMES))
    places = ", ".join(dialect.place(number + 1) for number in range(len(NAMES)))
    table = dialect.quote(EVERYTHING.table)
    insert = Statement(
        f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {columns}",  # noqa: S608
        codec.encode(values),
        returns_rows=True,
    )
    select = Statement(
        f"SELECT {columns} FROM {table} ORDER BY id DESC LIMIT 1",  # noqa: S608
        returns_rows=True,
    )
    async with driver.acquire() as connection:
        results = await connection.run([insert, select])
    return [codec.decode(result.rows[0]) for result in results]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # the rows of one example stay, unread
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
        HealthCheck.too_slow,
    ],
)
@given(row=_rows())
async def test_every_type_comes_back_exactly(
    driver: Driver, row: dict[str, Any]
) -> None:
    await ensure_table(driver, EVERYTHING)
    values = checked(row)

    for back in await store(driver, values):
        assert exactly(back) == exactly(values)


EXTREMES: dict[str, list[Any]] = {
    "int": [-(2**63), 2**63 - 1, 0],
    "float": [5e-324, 1.7976931348623157e308, -1e22, 1e16, 0.1, -0.0, 3.0],
    "decimal": [
        Decimal(10**1000 - 1),
        Decimal("1E-1000"),
        Decimal("-0.00"),
        Decimal(10000),
        Decimal("1.10"),
        Decimal("1E+9"),
    ],
    "money": [Decimal("99999999.99"), Decimal("-99999999.99"), Decimal(0)],
    "scaled": [Decimal("0." + "9" * 18), Decimal("-0." + "0" * 17 + "1")],
    "wide": [Decimal("9" * 25 + "." + "9" * 5), Decimal(-1)],
    "whole": [Decimal(999999999999), Decimal(10**11)],
    "bool": [True, False],
    "str": ["", "\U0010ffff", "\x01\x7f", "'\"\\", "grüße", "${a.b}", "é\u0301"],
    "bytes": [b"", b"\0", bytes(range(256))],
    "date": [date.min, date.max, date(1582, 10, 10)],
    "time": [time.min, time.max],
    "datetime": [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    ],
    "naive": [datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59)],  # noqa: DTZ001, DTZ901
    "timedelta": [
        timedelta(microseconds=MICROSECONDS),
        timedelta(microseconds=-MICROSECONDS),
        timedelta(days=-1, microseconds=1),
    ],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1)],
    "color": list(Color),
    "level": list(Level),
    "letter": ["a", "b"],
    "number": [1, 2],
    "always": [True],
}


async def test_the_extremes_of_every_type_come_back_exactly(driver: Driver) -> None:
    await ensure_table(driver, EVERYTHING)
    rest: dict[str, Any] = {
        "a_dict": {"": [[], {}, None, 1e300, -1e16, 2**63 - 1, 1.0, "\U0010ffff"]},
        "maybe_dict": None,
        "a_list": [{}],
        "a_struct": Address("", 2**63 - 1, 1e22, datetime.max.replace(tzinfo=UTC)),
        "maybe_struct": None,
        "maybe_list_int": [],
    }
    for turn in range(max(map(len, EXTREMES.values()))):
        row: dict[str, Any] = dict(rest)
        for name, extremes in EXTREMES.items():
            extreme = extremes[turn % len(extremes)]
            row[f"a_{name}"] = extreme
            row[f"maybe_{name}"] = None if turn % 2 else extreme
            row[f"list_{name}"] = extremes if turn % 2 else []
        values = checked(row)

        for back in await store(driver, values):
            assert exactly(back) == exactly(values)
