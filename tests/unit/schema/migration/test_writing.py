"""Values and conversions as SQL, and what a plan says of itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from evolving import model

from dataflow.models import Digits, declare
from dataflow.schema import Column, Schema, TableShape, shape_of
from dataflow.schema.migration import Facts, Plan, Risk, TableFacts, Target, make_plan
from dataflow.schema.migration.planning import PREFIX, diff, target_of
from dataflow.schema.migration.planning._names import default_names
from dataflow.schema.migration.planning._quarantine import quarantine_name
from dataflow.schema.migration.writing._conversion import conversion
from dataflow.schema.migration.writing._literal import literal
from dataflow.sql import POSTGRESQL, SQLITE, Dialect, column_type


class Color(Enum):
    RED = "r'ed"


class Address(msgspec.Struct):
    street: str


def columns(dialect: Dialect, annotation: Any) -> Column:
    declared = declare(model("Thing", value=annotation))
    return shape_of([declared], dialect).tables[0].by_name["value"]


@pytest.mark.parametrize(
    ("annotation", "value", "postgresql", "sqlite"),
    [
        (bool, True, "true::boolean", "1"),
        (int, -3, "(-3)::bigint", "-3"),
        (float, 1e300, "'1e+300'::double precision", "1e+300"),
        (Decimal, Decimal("1.50"), "'1.50'::numeric", "'1.50'"),
        (
            Annotated[Decimal, Digits(6, 2)],
            Decimal("1.50"),
            "'1.50'::numeric(6, 2)",
            "150",
        ),
        (str, "it's \\ %s", "'it''s \\ %s'::text", "'it''s \\ %s'"),
        (bytes, b"\x00'", "'\\x0027'::bytea", "X'0027'"),
        (date, date(2024, 2, 29), "'2024-02-29'::date", "'2024-02-29'"),
        (time, time(1, 2), "'01:02:00'::time", "'01:02:00.000000'"),
        (
            datetime,
            datetime(2024, 2, 29, tzinfo=UTC),
            "'2024-02-29T00:00:00+00:00'::timestamptz",
            "'2024-02-29T00:00:00.000000+00:00'",
        ),
        (
            timedelta,
            timedelta(days=-1, seconds=2, microseconds=3),
            "'-1 days 2 seconds 3 microseconds'::interval",
            "-86397999997",
        ),
        (UUID, UUID(int=1), f"'{UUID(int=1)}'::uuid", f"'{UUID(int=1)}'"),
        (Color, Color.RED, "'r''ed'::text", "'r''ed'"),
        (list[int], [1, 2], "ARRAY[1, 2]::bigint[]", "'[1,2]'"),
        (list[str], [], "ARRAY[]::text[]", "'[]'"),
        (dict[str, Any], {"a": "'"}, "'{\"a\":\"''\"}'::jsonb", "'{\"a\":\"''\"}'"),
        (Address, Address("x"), '\'{"street":"x"}\'::jsonb', '\'{"street":"x"}\''),
    ],
)
def test_a_value_is_written_for_each_database(
    annotation: Any, value: Any, postgresql: str, sqlite: str
) -> None:
    type_ = declare(model("Thing", value=annotation)).field("value").type
    for dialect, expected in ((POSTGRESQL, postgresql), (SQLITE, sqlite)):
        written = literal(value, type_, column_type(type_, dialect), dialect.name)

        assert written == expected


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (Annotated[Decimal, Digits(6, 2)], Annotated[Decimal, Digits(8, 2)], "widen"),
        (Annotated[Decimal, Digits(6, 2)], Decimal, "widen"),
        (Annotated[Decimal, Digits(6, 2)], Annotated[Decimal, Digits(8, 3)], "convert"),
        (Annotated[Decimal, Digits(6, 2)], Annotated[Decimal, Digits(6, 3)], "narrow"),
        (int, str, "convert"),
        (int, Annotated[Decimal, Digits(6, 2)], "narrow"),
        (int, float, "narrow"),
        (str, int, "narrow"),
        (date, datetime, "convert"),
        (int, bytes, None),
        (list[int], list[str], None),
        (list[int], dict[str, Any], None),
        (bytes, float, None),
    ],
)
def test_a_conversion_on_postgresql_is_wide_exact_or_proved(
    before: Any, after: Any, how: str | None
) -> None:
    found = conversion(
        columns(POSTGRESQL, before), columns(POSTGRESQL, after), "postgresql"
    )

    assert (found and found.how) == how


@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        ("character varying(20)", "text", "widen"),
        ("character varying(20)", "character varying(30)", "widen"),
        ("integer", "bigint", "convert"),
        ("bigint", "integer", "narrow"),
        ("json", "jsonb", "convert"),
        ("timestamp without time zone", "timestamp with time zone", "widen"),
        ("money", "bigint", None),
    ],
)
def test_types_of_others_are_converted_too(old: str, new: str, how: str | None) -> None:
    from dataflow.schema.reading import ColumnType, field_type  # noqa: PLC0415

    def column(type_: str) -> Column:
        kind = field_type("postgresql", ColumnType(type_))
        return Column(name="value", type=type_, field_type=kind)

    found = conversion(column(old), column(new), "postgresql")

    assert (found and found.how) == how


def test_a_name_that_is_too_long_gets_a_digest_in_quarantine() -> None:
    name = "x" * 63
    first = quarantine_name(name, ())
    second = quarantine_name(name, {first})

    assert len(first.encode()) == len(second.encode()) == 63
    assert first != second
    assert first.startswith(PREFIX)
    assert quarantine_name("a", {f"{PREFIX}a"}) == f"{PREFIX}a_2"


def test_names_with_a_digest_are_known_as_ours() -> None:
    declared = declare(
        model("Thing", **{"y" * 60: int}, __dataflow__={"indexes": [["y" * 60]]})
    )
    (table,) = shape_of([declared], POSTGRESQL).tables

    assert {each.name for each in table.indexes} <= default_names(table)


def test_versions_before_fast_defaults_are_filled_in_batches() -> None:
    old = shape_of([declare(model("Thing", name=str))], POSTGRESQL)
    target = target_of([declare(model("Thing", name=str, size=(int, 3)))], POSTGRESQL)
    facts = {"things": TableFacts(rows=5, is_empty=False)}
    new = make_plan(old, target, Facts(version=(11,), tables=facts))
    before = make_plan(old, target, Facts(version=(10,), tables=facts))

    assert [step.operation for step in new.steps] == ["add_filled_column"]
    assert [step.operation for step in before.steps] == [
        "add_column",
        "backfill",
        "set_not_null_directly",
    ]
    assert "in batches" in before.steps[1].sql_up
    assert "taken back if the migration fails" in before.steps[1].sql_down


def test_what_was_left_half_done_is_finished() -> None:
    wanted = shape_of([declare(model("Thing", name=str))], POSTGRESQL)
    (table,) = wanted.tables
    from msgspec.structs import replace  # noqa: PLC0415

    from dataflow.schema import Check, ForeignKey  # noqa: PLC0415

    key = ForeignKey(columns=("id",), target="p", target_columns=("id",), name="k")
    left = replace(
        table,
        checks=(Check("name IS NOT NULL", "_dataflow_not_null_name"),),
        foreign_keys=(key,),
    )
    goal = replace(wanted, tables=(replace(table, foreign_keys=(key,)),))
    facts = TableFacts(unvalidated=frozenset({"k"}))
    plan = make_plan(
        replace(wanted, tables=(left,)),
        Target(schema=goal),
        Facts(tables={"things": facts}),
    )

    assert [step.operation for step in plan.steps] == [
        "drop_not_null",
        "validate_foreign_key",
    ]


def test_an_unfinished_index_is_dropped_and_made_again() -> None:
    old = shape_of([declare(model("Thing", name=str))], POSTGRESQL)
    options = {"unique": [["name"]], "indexes": [["name", "id"]]}
    goal = target_of(
        [declare(model("Thing", name=str, __dataflow__=options))], POSTGRESQL
    )
    names = frozenset({"things_name_key", "things_name_id_idx"})
    facts = {"things": TableFacts(rows=1, is_empty=False, invalid=names)}
    plan = make_plan(old, goal, Facts(version=(18,), tables=facts))

    assert [step.operation for step in plan.steps] == [
        "drop_index",
        "create_index_concurrently",
        "attach_unique",
        "drop_index",
        "create_index_concurrently",
    ]


def test_an_index_that_waits_is_only_attached() -> None:
    from msgspec.structs import replace  # noqa: PLC0415

    from dataflow.schema import IndexPart, TableIndex  # noqa: PLC0415

    old = shape_of([declare(model("Thing", name=str))], POSTGRESQL)
    index = TableIndex(
        name="things_name_key", parts=(IndexPart("name"),), is_unique=True
    )
    half = replace(old, tables=(replace(old.tables[0], indexes=(index,)),))
    options = {"unique": [["name"]]}
    goal = target_of(
        [declare(model("Thing", name=str, __dataflow__=options))], POSTGRESQL
    )
    facts = {"things": TableFacts(rows=1, is_empty=False)}
    plan = make_plan(half, goal, Facts(tables=facts))

    assert [step.operation for step in plan.steps] == ["attach_unique"]


def test_a_view_of_the_name_of_a_model_is_left_alone() -> None:
    from dataflow.schema import View  # noqa: PLC0415

    goal = target_of([declare(model("Thing", name=str))], SQLITE)
    schema = Schema(dialect="sqlite", views=(View(name="things", columns=()),))
    found = diff(schema, goal)

    assert found.changes == ()
    assert "is a view" in found.notes[0]


def test_rows_without_a_key_cannot_be_filled_one_by_one() -> None:
    old = Schema(
        dialect="sqlite",
        tables=(
            TableShape(
                name="things",
                columns=(
                    Column(
                        name="id",
                        type="INTEGER",
                        field_type=columns(SQLITE, int).field_type,
                    ),
                ),
            ),
        ),
    )
    from dataflow.models import field  # noqa: PLC0415

    thing = model("Thing", size=(int, field(default_factory=lambda: 1)))
    facts = Facts(tables={"things": TableFacts(rows=1, is_empty=False)})
    plan = make_plan(old, target_of([declare(thing)], SQLITE), facts)

    assert any("no primary key" in each for each in plan.problems)


def test_a_plan_describes_itself() -> None:
    nothing = Plan(dialect="sqlite")
    old = shape_of([declare(model("Thing", name=str, old=float))], POSTGRESQL)
    goal = target_of([declare(model("Thing", name=int))], POSTGRESQL)
    facts = {"things": TableFacts(rows=2_000_000, is_empty=False)}
    plan = make_plan(old, goal, Facts(tables=facts))
    text = plan.describe()

    assert "nothing to do" in nothing.describe()
    assert not nothing
    assert plan
    assert plan.risk is Risk.CRITICAL
    assert plan.tables == ("things",)
    assert plan.operations == plan.steps
    for said in (
        "2 steps, risk CRITICAL",
        "[HIGH] drop column old of things",
        "lock ACCESS EXCLUSIVE, rewrites the table, about 4.0 s",
        "safer:",
        "undoing it loses",
        'ALTER TABLE "things" RENAME COLUMN "old"',
    ):
        assert said in text
    assert plan.plain()["steps"][1]["estimate_s"] == 4.0
    assert (
        goal.fingerprint != target_of([declare(model("A", b=int))], SQLITE).fingerprint
    )
