"""Rules that stay with this library, told by what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from ...sql import POSTGRESQL, Dialect
from ..judging import Snapshot
from ..rules import ACTIONS, ASKED, Rule
from ._bar import Left

__all__ = ["left_over"]

_ANY: Final = "*"


def left_over(
    snapshot: Snapshot, dialect: Dialect, *, has_role: bool
) -> Iterator[Left]:
    """Yield what the database cannot hold of the rules, and of the marks of fields.

    Args:
        snapshot: The rules.
        dialect: Of which database.
        has_role: Whether there are rights of a role.
    """
    holds_reads = has_role and dialect is POSTGRESQL
    for rule in snapshot.rules:
        if rule.effect == "require_approval":
            yield Left(rule.id, "somebody may approve of it, whom dataflow asks")
        elif rule.effect in {"deny", "allow"}:
            yield from _of_rule(rule, holds_reads=holds_reads)
    for model in snapshot.models.values():
        for field in model.fields:
            if field.marks.mask is not None:
                id_ = f"mask:{model.name}.{field.name}"
                yield Left(id_, "dataflow masks values as it reads them")
    if any(
        each.effect == "deny" and each.covers(_ANY, "schema") for each in snapshot.rules
    ):
        yield Left("schema", _schema(dialect))
    if dialect is not POSTGRESQL:
        why = "INSERT OR REPLACE deletes rows without triggers, unless a connection "
        yield Left("replace", f"{why}says PRAGMA recursive_triggers = ON")


def _of_rule(rule: Rule, *, holds_reads: bool) -> Iterator[Left]:
    hangs_on = list(_hangs_on(rule))
    if hangs_on:
        rest = (
            "" if rule.effect == "deny" else ": the database lets it pass for everybody"
        )
        yield Left(rule.id, f"it hangs on {', '.join(hangs_on)}{rest}")
        return
    if rule.effect == "allow":
        return
    done = [each for each in ACTIONS if rule.covers(_ANY, each)]
    if not done or "unmask" in done:
        yield Left(rule.id, "it is about messages to nodes, not about rows of tables")
    if "read" not in done:
        return
    if rule.fields:
        yield Left(rule.id, "dataflow masks values as it reads them")
    elif not holds_reads:
        yield Left(rule.id, "it is about reading, where only rights of a role count")


def _hangs_on(rule: Rule) -> Iterator[str]:
    if _asks(rule.when):
        yield "who asks"
    if rule.window is not None:
        yield "the time"
    if rule.rate is not None:
        yield "how often that is"
    if rule.is_cap:
        yield "how many rows a message writes"


def _asks(given: object) -> bool:
    """Whether a condition, as it was written, speaks of who asks."""
    if isinstance(given, list | tuple):
        return any(map(_asks, cast("Iterable[object]", given)))
    if not isinstance(given, Mapping):
        return False
    return any(
        str(name).partition(".")[0] in ASKED
        or (name == "$field" and str(value).partition(".")[0] in ASKED)
        or _asks(value)
        for name, value in cast("Mapping[Any, object]", given).items()
    )


def _schema(dialect: Dialect) -> str:
    if dialect is POSTGRESQL:
        return "whoever owns a table may change or drop it: own it by another role"
    return "whoever may write to the file may change or drop tables and triggers"
