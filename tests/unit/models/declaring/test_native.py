"""Annotations for columns that others made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest

from dataflow.errors import ModelError
from dataflow.models import Digits, Kind, NaiveDatetime, Native, declare, field
from dataflow.models.declaring._annotation import AnnotationError, read_annotation

ANNOTATED: Any = Annotated  # to the type checkers, no part of an expression


@pytest.mark.parametrize(
    ("annotation", "kind", "column", "is_nullable"),
    [
        (NaiveDatetime, Kind.NAIVE_DATETIME, None, False),
        (NaiveDatetime | None, Kind.NAIVE_DATETIME, None, True),
        (Annotated[int, Native("smallint")], Kind.INT, "smallint", False),
        (Annotated[int | None, Native("integer")], Kind.INT, "integer", True),
        (ANNOTATED[str, Native("inet")] | None, Kind.STR, "inet", True),
        (Annotated[Any, Native("json")], Kind.JSON, "json", False),
        (ANNOTATED[Any, Native("jsonb")] | None, Kind.JSON, None, True),
        (
            Annotated[Decimal, Digits(10, 2), Native("NUMERIC")],
            Kind.DECIMAL,
            "NUMERIC",
            False,
        ),
    ],
)
def test_a_note_says_what_the_column_is(
    annotation: Any,
    kind: Kind,
    column: str | None,
    is_nullable: bool,  # noqa: FBT001  # a parameter
) -> None:
    type_, nullable = read_annotation(annotation)

    assert (type_.kind, type_.column, nullable) == (kind, column, is_nullable)


def test_a_list_may_hold_what_has_a_note() -> None:
    type_, _ = read_annotation(list[NaiveDatetime])
    assert type_.element is not None

    assert type_.element.kind is Kind.NAIVE_DATETIME


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Annotated[int, Native("smalint")], "did you mean 'smallint'"),
        (Annotated[int, Native("?")], "is no type of a column: use"),
        (Annotated[str, Native("smallint")], "holds int, not str"),
    ],
)
def test_a_note_that_does_not_fit_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotation(annotation)


def test_only_a_datetime_is_without_timezone() -> None:
    from dataflow.models.types import WithoutTimezone  # noqa: PLC0415  # for this

    with pytest.raises(AnnotationError, match="only a datetime"):
        read_annotation(Annotated[int, WithoutTimezone()])


def test_what_the_database_makes_need_not_be_given() -> None:
    class Order:
        state: str = field(database_default=True)
        twice: int | None = field(computed=True)
        at: datetime

    model = declare(Order)
    state, twice, at = (model.field(name) for name in ("state", "twice", "at"))

    assert (state.is_defaulted, state.is_required, state.is_left_out) == (
        True,
        False,
        True,
    )
    assert (twice.is_computed, twice.is_required, twice.has_default) == (
        True,
        False,
        False,
    )
    assert at.is_required


def test_what_the_database_makes_has_no_other_default() -> None:
    class Order:
        state: str = field(default="new", database_default=True)

    with pytest.raises(ModelError, match="leave out the default"):
        declare(Order)
