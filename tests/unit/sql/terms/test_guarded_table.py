"""Statements under terms, without a database: what is looked at, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dataflow.models import Model, declare
from dataflow.sql import (
    ALL,
    NEW,
    NOTHING,
    OLD,
    POSTGRESQL,
    SQLITE,
    Budget,
    Cap,
    Compare,
    Comparison,
    Dialect,
    Guard,
    Guarded,
    GuardedTable,
    Leave,
    Ledger,
    RacedError,
    Result,
    Statement,
    Terms,
    guarded,
    parse,
    table_of,
)


class Thing:
    name: str
    size: int = 0


THING: Model = declare(Thing)
EVERY = frozenset(THING.names)


class RefusedError(Exception):
    pass


def refuse(*_: object) -> Exception:
    return RefusedError()


def large(prefix: str) -> Any:
    field = replace(THING.field("size"), name=f"{prefix}size", is_nullable=True)
    return Compare(field, Comparison.GT, 9)


def guard(*actions: str, **more: Any) -> Guard:
    return Guard(actions=frozenset(actions), hit=refuse, **more)


def table(terms: Terms, dialect: Dialect = POSTGRESQL) -> GuardedTable:
    return guarded(table_of(THING, dialect), terms, EVERY)


ON_OLD = Terms(guards=(guard("update", "delete", when=large(OLD)),))
ON_NEW = Terms(guards=(guard("create", "update", when=large(NEW)),))
BY_FIELD = Terms(guards=(guard("create", "update", fields=frozenset({"size"})),))
CAPPED = Terms(caps=(Cap(1, refuse),))


def checked(statement: Statement) -> Guarded:
    assert isinstance(statement, Guarded)
    return statement


def test_a_field_that_is_refused_is_refused_in_every_statement() -> None:
    own, size = table(BY_FIELD), {"size": 1}
    row = {"name": "a", **size}
    for call in (
        lambda: own.insert(row),
        lambda: own.update(ALL, size),
        lambda: own.update_key({"id": 1}, size),
        lambda: own.upsert(row, ("id",), {}),
        lambda: own.upsert({"id": 1, "name": "a"}, ("id",), size),
        lambda: own.arrays.insert(("name", "size"), [row]),
        lambda: own.arrays.update(("size",), [{"id": 1}], [size]),
        lambda: own.admit and own.admit(frozenset({"size"}), None),
        lambda: own.admit and own.admit(None, frozenset({"size"})),
    ):
        with pytest.raises(RefusedError):
            call()


def test_what_keeps_to_static_terms_has_nothing_around_it() -> None:
    own, name = table(BY_FIELD), {"name": "a"}
    keys: list[dict[str, Any]] = [{"id": 1}]
    statements = [
        own.insert(name),
        own.update(ALL, name),
        own.update_key({"id": 1}, name),
        own.delete(ALL),
        own.delete_key({"id": 1}),
        own.delete_keys([[1]]),
        own.read({"id": 1}),
        own.read_key(("id",), {"id": 1}),
        own.count(),
        own.select(),
        own.arrays.insert(("name",), [name]),
        own.arrays.update(("name",), keys, [name]),
        own.arrays.read(keys),
        own.arrays.delete(keys),
        *own.upsert({"id": 1, **name}, ("id",), name),
        *own.upsert_many(("id", "name"), [{"id": 1, **name}], ("id",), ("name",)),
        own.insert_many(("name",), [name]),
        own.update_many([{"id": 1, **name}], ("id",), ("name",)),
        *own.cleared([Statement("SELECT 1")]),
    ]
    repair = own.repair_key()

    assert repair is not None
    assert all(checked(each).is_plain for each in (*statements, repair))
    assert table(BY_FIELD, SQLITE).repair_key() is None


def test_writes_are_counted_where_a_number_is_limited() -> None:
    row = {"id": 1, "name": "a"}
    statements = [
        table(CAPPED).insert(row),
        table(CAPPED).update(ALL, {"name": "a"}),
        table(CAPPED).update_key({"id": 1}, {"name": "a"}),
        table(CAPPED).delete(ALL),
        table(CAPPED).delete_key({"id": 1}),
        table(CAPPED).delete_keys([[1]]),
        table(CAPPED).upsert(row, ("id",), {})[-1],
    ]
    for statement in map(checked, statements):
        assert statement.review is not None
        assert statement.review(Result((), 1)).count == 1
        with pytest.raises(RefusedError):
            statement.review(Result((), 1))


def test_a_ledger_gives_back_what_was_undone() -> None:
    budget = Budget()
    ledger = Ledger((Cap(2, refuse, budget), Cap(5, lambda _: None)))
    ledger.add(2)
    other = Ledger((Cap(2, refuse, budget),))
    with pytest.raises(RefusedError):
        other.add(1)
    other.release()
    again = Ledger((Cap(5, lambda _: None),))
    again.add(9)
    again.release()

    assert budget.used == 2


def test_terms_are_kept_only_where_both_are() -> None:
    def first(_: Any) -> str:
        return "1"

    def second(_: Any) -> str:
        return "2"

    one = Terms(visible=parse({"size": 1}, THING), masks={"name": first}, tables=("a",))
    other = Terms(
        guards=BY_FIELD.guards,
        masks={"name": second, "size": second},
        caps=CAPPED.caps,
        is_read_only=True,
        others=lambda _: Terms(caps=CAPPED.caps),
    )
    both, turned = one & other, other & one
    related = (both & Terms(others=lambda _: BY_FIELD)).others

    assert both.visible is one.visible is turned.visible
    assert (both.masks["name"], both.masks["size"]) == (first, second)
    assert turned.masks["name"] is second
    assert (both.guards, both.caps) == (other.guards, other.caps)
    assert both.is_read_only
    assert both.tables == turned.tables == ("a",)
    assert related is not None
    assert related(THING).guards == BY_FIELD.guards
    assert related(THING).caps == CAPPED.caps
    assert not both.is_static
    assert BY_FIELD.is_static


def test_leave_for_some_fields_and_rows_is_leave_for_these() -> None:
    when = parse({"size": 1}, THING)
    some = guard(
        "update",
        unless=(Leave(fields=frozenset({"name"})), Leave(when=when)),
    )

    assert some.rows(frozenset({"name"})) is NOTHING
    assert some.rows(frozenset({"name", "size"})) is not NOTHING
    assert not some.is_static


def test_another_writer_s_row_asks_for_another_attempt() -> None:
    own = table(Terms(guards=(guard("update", when=large(OLD)),)))
    row = {"id": 1, "name": "a"}
    (upsert,) = own.upsert(row, ("id",), {"name": "a"})
    (many,) = own.upsert_many(("id", "name"), [row], ("id",), ("name",))
    changes = own.update_many([row], ("id",), ("name",))
    for statement, result in (
        (upsert, Result([(1, "a", 0, False)], 1)),
        (many, Result([(False,)], 1)),
        (changes, Result([(1,)], 1)),
    ):
        guarded_ = checked(statement)
        (probe,) = guarded_.probes
        probe.review(Result((), 0))
        assert guarded_.review is not None
        with pytest.raises(RacedError):
            guarded_.review(result)
    missing = checked(own.upsert(row, ("id",), {})[0])
    missing.probes[0].review(Result((), 0))
    assert missing.review is not None
    assert missing.review(Result((), 0)).count == 0


def test_a_row_that_the_database_made_worse_is_refused() -> None:
    stored = Result([(1, "a", 10)], 1)
    own = table(ON_NEW)
    insert = checked(own.insert({"name": "a"}))
    update = checked(own.update(ALL, {"name": "a"}, returning=True))
    for statement in (insert, update):
        assert statement.review is not None
        with pytest.raises(RefusedError):
            statement.review(stored)


def test_what_is_stored_before_does_not_matter_afterwards() -> None:
    update = checked(table(ON_OLD).update(ALL, {"name": "a"}, returning=True))

    assert update.review is not None
    assert update.review(Result([(1, "a", 10)], 1)).count == 1


def test_a_key_that_changes_with_a_computed_value_passes_no_rule() -> None:
    from dataflow.sql import Arithmetic, Operator  # noqa: PLC0415  # only here

    more = Arithmetic(THING.field("size"), Operator.INC, 1)
    update = checked(table(ON_NEW).update(ALL, {"size": more}))
    (probe,) = update.probes
    probe.review(Result([(1, "a", 0)], 1))

    assert update.review is not None
    assert update.review(Result([(1, "a", 1)], 1)).rows == ()
    with pytest.raises(RefusedError):
        update.review(Result([(2, "a", 1)], 1))


def test_what_is_masked_is_not_decoded_for_whoever_asks() -> None:
    own = table(Terms(masks={"name": lambda _: "*"}, unasked=refuse))

    assert own.decode((1, "a", 2)) == {"id": 1, "name": "*", "size": 2}
    assert own.decoder(("id",)).decode((1,)) == {"id": 1}
    with pytest.raises(RefusedError):
        own.decoder(None)
    with pytest.raises(RefusedError):
        own.select(parse({"name": "a"}, THING))


def test_leave_for_some_fields_is_no_leave_for_others() -> None:
    leave = Leave(fields=frozenset({"name"}))
    own = table(Terms(guards=(guard("update", unless=(leave,)),)))

    assert checked(own.update(ALL, {"name": "a"})).is_plain
    with pytest.raises(RefusedError):
        own.update(ALL, {"name": "a", "size": 1})
