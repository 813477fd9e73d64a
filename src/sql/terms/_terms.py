"""Under what terms a message may be carried out.

Layers attach terms on the receiving side; whoever carries the message out takes its
statements from `guarded`, which keeps to them. Conditions on rows name their values
``old:name``, as stored before, and ``new:name``, as it is to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, final

import msgspec

from ...models import Model
from .._touch import Permits, Touch
from ..filters import ALL, Filter, conjunction, disjunction, negation

__all__ = ["NEW", "OLD", "Budget", "Cap", "Guard", "Leave", "Mask", "Terms"]

OLD: Final = "old:"
NEW: Final = "new:"

Mask = Callable[[Any], Any]
"""Makes of a value, never None, what may be shown of it."""


class Leave(msgspec.Struct, frozen=True, eq=False):
    """Leave to write.

    Attributes:
        when: Rows like these.
        fields: These fields; None for all.
    """

    when: Filter = ALL
    fields: frozenset[str] | None = None

    def covers(self, named: frozenset[str]) -> bool:
        """Whether it is leave to name these fields."""
        return self.fields is None or named <= self.fields


class Guard(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a write must not do, or what is noted when it does.

    Attributes:
        actions: Of which writes: ``create``, ``update``, ``delete``.
        when: Of which rows; `ALL` of every one.
        fields: Only where the sender names one of these; None, whatever is named.
        unless: Leave to do it all the same: of rows like these, as long as the sender
            names no other fields than those; None allows every field.
        refuses: Whether rows that it is about are left alone.
        hit: Told that it came to that; returns what to raise, if anything.
    """

    actions: frozenset[str]
    when: Filter = ALL
    fields: frozenset[str] | None = None
    unless: tuple[Leave, ...] = ()
    refuses: bool = True
    hit: Callable[[], Exception | None]

    @property
    def is_static(self) -> bool:
        """Whether it depends on no row."""
        leaves = (each.when for each in self.unless)
        return all(each is ALL for each in (self.when, *leaves))

    def is_about(self, action: str, named: frozenset[str]) -> bool:
        """Whether it is about a write of this kind that names these fields."""
        return action in self.actions and (
            self.fields is None or not self.fields.isdisjoint(named)
        )

    def rows(self, named: frozenset[str]) -> Filter:
        """Return of which rows it is, for a sender that names these fields."""
        if not self.unless:
            return self.when
        left = [each.when for each in self.unless if each.covers(named)]
        return conjunction((self.when, negation(disjunction(left))))


@final
class Budget:
    """Rows that the messages of one run have written.

    Attributes:
        used: How many.
    """

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class Cap(msgspec.Struct, frozen=True, eq=False):
    """How many rows may be written.

    Attributes:
        limit: At most.
        hit: Told how many there were if more; returns what to raise, if anything.
        budget: What others have written that count, too; None if they do not.
    """

    limit: int
    hit: Callable[[int], Exception | None]
    budget: Budget | None = None


class Terms(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Under what terms one message may be carried out.

    Attributes:
        visible: The rows there are for its sender, by fields of the model.
        hidden: Returns what to raise when a new row meets one that is not visible.
        guards: What it must not write.
        masks: Fields that are not shown as they are, and how.
        unasked: Returns what to raise when a filter or an order asks for one of those.
        caps: How much it may write.
        others: Returns under what terms rows of another model may be read, and raises
            if they may not; None if of all models any way.
        is_read_only: Whether the database is to see to it that nothing is written.
        tables: Names that must be tables of their own: no views, no partitions.
        not_a_table: Returns what to raise if one is not.
        permits: Says what the database may do for a statement that somebody else wrote;
            None if anything.
    """

    visible: Filter = ALL
    hidden: Callable[[], Exception] = PermissionError
    guards: tuple[Guard, ...] = ()
    masks: Mapping[str, Mask] = {}
    unasked: Callable[[str], Exception] = PermissionError
    caps: tuple[Cap, ...] = ()
    others: Callable[[Model], Terms] | None = None
    is_read_only: bool = False
    tables: tuple[str, ...] = ()
    not_a_table: Callable[[], Exception] = PermissionError
    permits: Permits | None = None

    @property
    def is_static(self) -> bool:
        """Whether they depend on no row, and on nothing that others do."""
        return (
            self.visible is ALL
            and not self.caps
            and all(each.is_static for each in self.guards)
        )

    def __and__(self, other: Terms) -> Terms:
        """Return terms that are kept only where both are.

        Rows must be visible under both; a field that both mask is masked by this
        one's.
        """
        return Terms(
            visible=conjunction((self.visible, other.visible)),
            hidden=other.hidden if self.visible is ALL else self.hidden,
            guards=(*self.guards, *other.guards),
            masks={**other.masks, **self.masks},
            unasked=self.unasked if self.masks else other.unasked,
            caps=(*self.caps, *other.caps),
            others=_both(self.others, other.others),
            is_read_only=self.is_read_only or other.is_read_only,
            tables=(*self.tables, *other.tables),
            not_a_table=self.not_a_table if self.tables else other.not_a_table,
            permits=_both_permit(self.permits, other.permits),
        )


_Others = Callable[[Model], Terms]


def _both(one: _Others | None, other: _Others | None) -> _Others | None:
    if one is None or other is None:
        return one or other
    return lambda model: one(model) & other(model)


def _both_permit(one: Permits | None, other: Permits | None) -> Permits | None:
    if one is None or other is None:
        return one or other

    def permits(touch: Touch) -> Exception | None:
        return one(touch) or other(touch)

    return permits
