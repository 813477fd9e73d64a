"""What is computed in the database is what Python computes, or is refused."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.errors import OutOfRangeError
from dataflow.models import Digits, Field, Kind, MismatchError, declare
from dataflow.schema import ensure_table
from dataflow.sql import (
    ALL,
    Arithmetic,
    Operator,
    Statement,
    operand_type,
    operators,
    table_of,
)

# What a statement does not depend on the event loop.
pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

REFUSED = "refused"


class Measure:
    whole: int | None = None
    real: float | None = None
    free: Decimal | None = None
    price: Annotated[Decimal, Digits(6, 2)] | None = None
    widest: Annotated[Decimal, Digits(18, 4)] | None = None
    long: Annotated[Decimal, Digits(30, 4)] | None = None
    span: timedelta | None = None


MEASURE = declare(Measure)
EXACT = Context(prec=10_000, traps=[InvalidOperation, Inexact])
MAX = 2**63 - 1
MICROSECOND = timedelta(microseconds=1)

INTS = st.one_of(st.integers(-9, 9), st.integers(-MAX - 1, MAX))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(-9, 9, places=1),
    st.sampled_from([Decimal(each) for each in ("0.9", "1.10", "-0.5", "0.00", "1e3")]),
)


def sized(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    numbers = st.one_of(st.integers(-most, most), st.integers(-999, 999))
    return numbers.map(lambda number: Decimal(number).scaleb(-scale, EXACT))


STORED: dict[str, st.SearchStrategy[Any]] = {
    "whole": INTS,
    "real": FLOATS,
    "free": DECIMALS,
    "price": sized(6, 2),
    "widest": sized(18, 4),
    "long": sized(30, 4),
    "span": st.timedeltas(-(MAX * MICROSECOND), MAX * MICROSECOND),
}


@st.composite
def computations(draw: st.DrawFn) -> tuple[Field, Any, Arithmetic]:
    name = draw(st.sampled_from(sorted(STORED)))
    field = MEASURE.field(name)
    how = draw(st.sampled_from(operators(field.type)))
    is_factor = field.type.kind is Kind.DECIMAL and how is Operator.MUL
    operand = draw(DECIMALS if is_factor else STORED[name])
    return computation(name, draw(st.one_of(st.none(), STORED[name])), how, operand)


def computation(
    name: str, stored: object, how: Operator, operand: object
) -> tuple[Field, Any, Arithmetic]:
    field = MEASURE.field(name)
    checked = operand_type(field.type, how).check(operand)
    return field, field.check(stored, "it"), Arithmetic(field, how, checked)


def expected(field: Field, stored: Any, change: Arithmetic) -> object:
    """Compute in Python what the field becomes."""
    if stored is None:
        return None
    is_sum = change.operator is Operator.INC
    calculate: Any = operator.add if is_sum else operator.mul
    if field.type.kind is Kind.DECIMAL:
        calculate = EXACT.add if is_sum else EXACT.multiply
    try:
        result = field.type.check(calculate(stored, change.operand))
    except (MismatchError, OverflowError):
        return REFUSED
    is_lost = field.type.kind is Kind.FLOAT and result == 0 and not is_sum
    return REFUSED if is_lost and stored and change.operand else result


async def computed(
    driver: Driver, field: Field, stored: object, change: Arithmetic
) -> object:
    """Compute it in the database."""
    table = table_of(MEASURE, driver.dialect)
    await run(driver, table.delete(ALL), table.insert({field.name: stored}))
    try:
        await run(driver, table.update(ALL, {field.name: change}))
    except OutOfRangeError:
        (result,) = await run(driver, table.select())
        assert table.decode(result.rows[0])[field.name] == stored
        return REFUSED
    (result,) = await run(driver, table.select())
    return table.decode(result.rows[0])[field.name]


async def run(driver: Driver, *statements: Statement) -> Sequence[Any]:
    async with driver.acquire() as connection:
        return await connection.run(statements)


@given(which=computations())
@example(which=computation("whole", MAX, Operator.INC, 1))
@example(which=computation("whole", -MAX, Operator.INC, -1))
@example(which=computation("whole", -MAX - 1, Operator.MUL, -1))
@example(which=computation("whole", 2**62, Operator.MUL, 2))
@example(which=computation("real", 1e308, Operator.INC, 1e308))
@example(which=computation("real", 1e-200, Operator.MUL, 1e-200))
@example(which=computation("real", -1e200, Operator.MUL, 1e200))
@example(which=computation("real", 0.0, Operator.MUL, -1.0))
@example(which=computation("real", 3.0, Operator.MUL, 0.0))
@example(which=computation("free", Decimal("1.50"), Operator.MUL, Decimal("2.0")))
@example(which=computation("free", Decimal("1e999"), Operator.MUL, 10))
@example(which=computation("free", Decimal("1e-600"), Operator.MUL, Decimal("1e-600")))
@example(which=computation("free", Decimal("0e-600"), Operator.MUL, Decimal("1e-600")))
@example(which=computation("price", Decimal("9999.99"), Operator.INC, Decimal("0.01")))
@example(which=computation("price", Decimal("0.05"), Operator.MUL, Decimal("0.5")))
@example(which=computation("price", Decimal("0.50"), Operator.MUL, Decimal("0.10")))
@example(which=computation("price", Decimal(0), Operator.MUL, Decimal("1e-30")))
@example(which=computation("price", Decimal(0), Operator.MUL, Decimal("1e30")))
@example(which=computation("price", Decimal(1), Operator.MUL, Decimal("1e30")))
@example(which=computation("price", Decimal(1), Operator.MUL, Decimal("1e-30")))
@example(which=computation("widest", Decimal(2 * 10**13), Operator.MUL, Decimal("4.9")))
@example(which=computation("widest", Decimal(3), Operator.MUL, Decimal(10**13)))
@example(which=computation("long", Decimal(10**25), Operator.INC, Decimal(9 * 10**25)))
@example(which=computation("long", Decimal("0.0001"), Operator.MUL, Decimal("0.5")))
@example(which=computation("span", MAX * MICROSECOND, Operator.INC, MICROSECOND))
@example(which=computation("span", -MAX * MICROSECOND, Operator.INC, -MICROSECOND))
@example(
    which=computation("span", timedelta(hours=23), Operator.INC, timedelta(hours=3))
)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_both_databases_compute_what_python_does(
    which: tuple[Field, Any, Arithmetic], drivers: tuple[Driver, Driver]
) -> None:
    field, stored, change = which
    wanted = expected(field, stored, change)
    for driver in drivers:
        await ensure_table(driver, MEASURE)
        result = await computed(driver, field, stored, change)

        assert (repr(result), driver.dialect.name) == (
            repr(wanted),
            driver.dialect.name,
        )


async def test_what_only_sqlite_lets_into_a_column_is_not_computed_with(
    drivers: tuple[Driver, Driver],
) -> None:
    sqlite = drivers[0]
    await ensure_table(sqlite, MEASURE)
    table = table_of(MEASURE, sqlite.dialect)
    names = ", ".join(STORED)
    values = ", ".join(["'soon'"] * len(STORED))
    await run(
        sqlite,
        Statement(f"INSERT INTO measures ({names}) VALUES ({values})"),  # noqa: S608
        Statement("INSERT INTO measures (free) VALUES (x'31')"),
    )

    for name in STORED:
        operand = MICROSECOND if name == "span" else 1
        _, _, change = computation(name, None, Operator.INC, operand)
        with pytest.raises(OutOfRangeError, match="integer overflow"):
            await run(sqlite, table.update(ALL, {name: change}))
