"""A field gets another type, and its values mean the same, or nothing is changed."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import pytest
from evolving import model

from dataflow import DataFlow
from dataflow.errors import DataFlowError, MigrationBlockedError, MigrationCheckError
from dataflow.models import Digits, NaiveDatetime, field

SMALL = Annotated[Decimal, Digits(6, 2)]
WIDE = Annotated[Decimal, Digits(8, 3)]
HUGE = Annotated[Decimal, Digits(30, 3)]

FITS: list[tuple[Any, Any, Any, Any]] = [
    (int, 12, str, "12"),
    (int, 12, float, 12.0),
    (int, 12, Decimal, Decimal(12)),
    (int, 12, SMALL, Decimal("12.00")),
    (int, 12, HUGE, Decimal("12.000")),
    (bool, True, int, 1),
    (float, 3.0, int, 3),
    (str, "12", int, 12),
    (str, "1.25", Decimal, Decimal("1.25")),
    (str, "1.50", Decimal, Decimal("1.50")),
    (str, "1.25", SMALL, Decimal("1.25")),
    (SMALL, Decimal("1.50"), WIDE, Decimal("1.500")),
    (WIDE, Decimal("1.500"), SMALL, Decimal("1.50")),
    (SMALL, Decimal("1.50"), HUGE, Decimal("1.500")),
    (HUGE, Decimal("1.500"), SMALL, Decimal("1.50")),
    (SMALL, Decimal("2.00"), int, 2),
    (SMALL, Decimal("1.50"), str, "1.50"),
    (Decimal, Decimal("1.5"), SMALL, Decimal("1.50")),
    (date, date(2024, 2, 29), str, "2024-02-29"),
    (date, date(2024, 2, 29), datetime, datetime(2024, 2, 29, tzinfo=UTC)),
    (UUID, UUID(int=5), str, str(UUID(int=5))),
    (
        NaiveDatetime,
        datetime(2024, 2, 29, 1, 2, 3, 45, tzinfo=None),  # noqa: DTZ001  # what it is
        datetime,
        datetime(2024, 2, 29, 1, 2, 3, 45, tzinfo=UTC),
    ),
]
DOES_NOT_FIT: list[tuple[Any, Any, Any]] = [
    (int, 2**53 + 1, float),
    (int, 12_345, SMALL),
    (float, 2.5, int),
    (str, "12x", int),
    (str, "many", Decimal),
    (str, "007", Decimal),
    (WIDE, Decimal("1.555"), SMALL),
    (SMALL, Decimal("1.50"), int),
    (HUGE, Decimal("12345678.001"), SMALL),
    (Decimal, Decimal("1.555"), SMALL),
]


def thing(type_: Any) -> type:
    return model("Thing", value=type_, other=type_ | None)


@pytest.mark.parametrize(("before", "value", "after", "expected"), FITS)
async def test_a_value_that_fits_means_the_same(
    database_url: str, before: Any, value: Any, after: Any, expected: Any
) -> None:
    async with DataFlow(database_url) as db:
        db.model(thing(before))
        await db["Thing"].create(value=value)
        db.model(thing(after))
        await db.auto_migrate(auto_confirm=True, max_risk_level="CRITICAL")

        (record,) = (await db["Thing"].list())["records"]
        assert record == {"id": 1, "value": expected, "other": None}
        if after is not HUGE:  # SQLite keeps as many zeros as were stored
            assert str(record["value"]) == str(expected)
        assert await db["Thing"].count({"value": expected}) == 1
        await db.migrations.roll_back()
        db.model(thing(before))
        assert (await db["Thing"].read(1))["value"] == value
        assert not (await db.migrations.check()).steps


@pytest.mark.parametrize(("before", "value", "after"), DOES_NOT_FIT)
async def test_a_value_that_does_not_fit_stops_it_before_anything_is_changed(
    database_url: str, before: Any, value: Any, after: Any
) -> None:
    async with DataFlow(database_url) as db:
        db.model(thing(before))
        await db["Thing"].create(value=value)
        db.model(thing(after))
        with pytest.raises(MigrationCheckError) as error:
            await db.auto_migrate(auto_confirm=True, max_risk_level="CRITICAL")
        assert "things.value is no" in error.value.problem
        db.model(thing(before))
        assert (await db["Thing"].read(1))["value"] == value


@pytest.mark.parametrize(
    ("before", "after"), [(bytes, float), (int, UUID), (list[int], list[str])]
)
async def test_what_would_be_a_guess_is_refused(
    database_url: str, before: Any, after: Any
) -> None:
    async with DataFlow(database_url) as db:
        db.model(thing(before))
        await db.initialize()
        db.model(thing(after))
        kinds: tuple[type[DataFlowError], ...] = (MigrationBlockedError,)
        try:
            await db.auto_migrate(auto_confirm=True, max_risk_level="CRITICAL")
        except kinds as error:
            assert "without guessing" in str(error)  # noqa: PT017  # SQLite has one type for lists
        else:
            assert before == list[int]
            assert database_url.startswith("sqlite")


async def test_defaults_of_every_type_reach_rows_that_are_there(
    database_url: str,
) -> None:
    values: dict[str, Any] = {
        "flag": True,
        "number": -(2**40),
        "ratio": 0.1,
        "exact": Decimal("1.10"),
        "text": "it's \\ 100%\n",
        "raw": b"\x00'\xff",
        "day": date(2024, 2, 29),
        "at": datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC),
        "code": UUID(int=9),
        "tags": ["a'", "b"],
        "more": {"a": [1, "'"]},
    }
    types: dict[str, Any] = {name: type(value) for name, value in values.items()}
    types |= {"tags": list[str], "more": dict[str, Any]}
    async with DataFlow(database_url) as db:
        db.model(model("Thing", name=str))
        await db["Thing"].create(name="a")
        fields = {
            name: (
                types[name],
                field(default_factory=partial(deepcopy, value))
                if name in {"tags", "more"}
                else field(default=value),
            )
            for name, value in values.items()
        }
        db.model(model("Thing", name=str, **fields, __dataflow__={"timestamps": True}))
        await db.auto_migrate(auto_confirm=True)
        (record,) = (await db["Thing"].list())["records"]

    assert {name: record[name] for name in values} == values
    assert isinstance(record["created_at"], datetime)


async def test_values_that_are_made_for_rows_are_of_the_new_type(
    database_url: str,
) -> None:
    old = model("Thing", n=int, size=SMALL | None, code=UUID | None)
    new = model(
        "Thing",
        n=int,
        size=(str, field(default_factory=lambda: "made")),
        code=(str, field(default_factory=lambda: "none")),
    )
    code = UUID(int=7)
    async with DataFlow(database_url) as db:
        db.model(old)
        await db["Thing"].create(n=1, size=Decimal("1.50"), code=code)
        await db["Thing"].create(n=2)
        db.model(new)
        await db.auto_migrate(auto_confirm=True, max_risk_level="CRITICAL")
        found = (await db["Thing"].list(order_by=["n"]))["records"]

        assert [(row["size"], row["code"]) for row in found] == [
            ("1.50", str(code)),
            ("made", "none"),
        ]
        assert not await db.migrations.check()
