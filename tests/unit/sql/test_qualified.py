"""Statements about a table in a schema name it, each time that they name the table."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec
import pytest

from dataflow.models import Family, Model, declare, field
from dataflow.sql import (
    POSTGRESQL,
    SQLITE,
    Dialect,
    Groups,
    Statement,
    Table,
    parse,
    parse_order,
    qualified,
    related_rows,
    table_of,
)
from dataflow.sql.packing import packer_of
from dataflow.sql.packing._postgresql import Copying, Standing

SCHEMA = 'tenant_"a'
QUOTED = '"tenant_""a".'


class Owner:
    name: str
    owner_id: int | None = field(references="Owner", backref="owned")

    __dataflow__ = {"soft_delete": True}  # noqa: RUF012  as users write it


class Item:
    code: str = field(primary_key=True)
    n: int = 0
    owner_id: int | None = field(default=None, references="Owner")

    __dataflow__ = {"soft_delete": True, "versioned": True}  # noqa: RUF012


def declared(schema: str | None) -> Model:
    """Return a model that refers to another one, both in a schema."""
    family = Family()
    plain = [declare(cls, family) for cls in (Owner, Item)]
    models = [msgspec.structs.replace(each, schema=schema) for each in plain]
    family.follow(models)
    return models[1]


def statements(model: Model, dialect: Dialect) -> list[Statement]:
    """Return statements of every form."""
    table: Table = table_of(model, dialect)
    row, key = {"code": "a", "n": 1}, {"code": "a"}
    where = parse({"n": {"$gt": 1}, "owner.owned": {"$some": {"name": "x"}}}, model)
    order = parse_order(["-n", "code"], model)
    groups = Groups(model, (model.field("n"),), (), "Item")
    related = related_rows(model.relations["owner"], dialect)
    back = related_rows(model.relations["owner"].target.relations["items"], dialect)
    made = [
        table.count(where),
        table.count_groups(groups, where),
        table.select_groups(groups, where),
        table.delete(where, returning=True),
        table.stored.delete(where),
        table.stored.delete_keys([["a"]]),
        table.delete_key(key),
        table.delete_keys([["a", "b"]]),
        table.insert(row),
        table.insert({}),
        table.insert_many(["code", "n"], [row], conflict=["code"], returning=True),
        table.read(key),
        table.read_key(["code"], row),
        table.select(where, order=order, limit=1),
        table.select(order=order),
        table.select_each(["code"], [row]),
        table.update(where, {"n": 2}, returning=True),
        table.update_key(key, {"n": 2}),
        table.update_many([row], ["code"], ["n"]),
        *table.upsert(row, ["code"], {"n": 2}),
        *table.upsert(row, ["code"], {}),
        *table.upsert_many(["code", "n"], [row], ["code"], ["n"]),
        related.select([[1]], parse({"owned": {"$none": {}}}, related_model(model))),
        back.select([[1]], where),
    ]
    if related.is_exact:
        made.append(related.select_alone([1]))
    if table.merges:
        made += [
            table.arrays.insert(("code", "n"), [row]),
            table.arrays.read([key]),
            table.arrays.update(("n",), [key], [{"n": 2}]),
            table.arrays.delete([key]),
            table.stored.arrays.delete([key]),
            *loads(model),
        ]
    return made


def related_model(model: Model) -> Model:
    return model.relations["owner"].target


def loads(model: Model) -> list[Statement]:
    """Return the statements of loads that go by a stage, and of one that does not."""
    copying = Copying(model)

    def refuse(row: object) -> NoReturn:
        raise AssertionError(row)

    packing = packer_of(model, POSTGRESQL).new({})
    (packed,) = packing.pack([{"code": "a", "n": 1}], refuse)
    types = dict.fromkeys(model.names, "23 -1 0")
    standing, guarded = (
        Standing(is_open=each, is_stageable=True, sequence=None, types=types)
        for each in (True, False)
    )
    made: list[Statement] = [*copying.insert(packed, standing).statements]
    made += copying.insert(packed, guarded).statements
    made += copying.upsert(packed, standing, ["code"], {"n"}).statements
    made += copying.upsert(packed, standing, ["code"], None, with_keys=True).statements
    made += copying.update(packed, standing).statements
    return made


NAMED = re.compile(
    r'(?:FROM|INTO|UPDATE|JOIN|TABLE|COPY|ON) (?!pg_temp)(\S*"(?:items|owners)")'
)
"""What stands where a statement names a table."""


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_tables_are_named_behind_their_schema(dialect: Dialect) -> None:
    plain = statements(declared(None), dialect)
    made = statements(declared(SCHEMA), dialect)

    for before, after in zip(plain, made, strict=True):
        assert after.text.replace(QUOTED, "") == before.text
        found = NAMED.findall(after.text)
        assert all(each.startswith(QUOTED) for each in found), after.text
        if "pg_temp" not in after.text:
            assert found, after.text
        assert SCHEMA not in repr(after.parameters)


def test_what_a_rule_asks_of_related_rows_is_asked_in_the_schema() -> None:
    # It was written down before anybody knew for whom.
    where = parse({"owner.name": "x"}, declared(None))
    text = table_of(declared(SCHEMA), POSTGRESQL).select(where).text

    assert f'FROM {QUOTED}"owners" AS "$r1"' in text


def test_a_name_is_quoted_with_its_schema() -> None:
    model = declared(SCHEMA)

    assert qualified(model, POSTGRESQL) == f'{QUOTED}"items"'
    assert qualified(declared(None), POSTGRESQL) == '"items"'
    assert qualified(declared(None), POSTGRESQL, "b") == '"b"."items"'


def test_a_sequence_is_found_by_the_name_of_its_table() -> None:
    model = related_model(declared(SCHEMA))
    repair: Any = table_of(model, POSTGRESQL).repair_key()

    assert repair.parameters == (f'{QUOTED}"owners"', "id")
    assert f'FROM {QUOTED}"owners"' in repair.text
    survey = Copying(model).survey()
    assert survey.parameters == (f'{QUOTED}"owners"', "id")
