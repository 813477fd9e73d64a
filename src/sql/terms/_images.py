"""Guards held against rows: as they were stored, and as they are to be stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, final

from ...models import Field, Model
from ..filters import ALL, matcher
from ._partial import names_in
from ._terms import NEW, OLD, Guard

__all__ = ["Guards", "check"]

Values = Mapping[str, Any]
Matcher = Callable[[Values], bool]


def check(guard: Guard) -> None:
    """Say that a write does what a guard is about.

    Raises:
        Exception: What the guard says.
    """
    error = guard.hit()
    if error is not None:
        raise error


@final
class Guards:
    """The guards of one message.

    Args:
        model: What the rows are.
        guards: They.

    Attributes:
        names: Names of the fields.
    """

    def __init__(self, model: Model, guards: Iterable[Guard]) -> None:
        self.names = model.names
        self._columns = {name: model.field(name) for name in model.names}
        self._guards = tuple(guards)
        self._matchers: dict[tuple[Guard, frozenset[str]], Matcher] = {}

    @property
    def are_static(self) -> bool:
        """Whether none of them depends on rows."""
        return all(each.is_static for each in self._guards)

    def about(
        self, action: str, named: frozenset[str], *, is_static: bool
    ) -> Iterator[Guard]:
        """Yield the guards about writes of this kind that name these fields."""
        for guard in self._guards:
            if guard.is_static is is_static and guard.is_about(action, named):
                yield guard

    def check_static(self, action: str, named: frozenset[str]) -> None:
        """Check what is written, whatever the rows.

        Raises:
            Exception: What a guard says.
        """
        for guard in self.about(action, named, is_static=True):
            if guard.rows(named) is ALL:
                check(guard)

    def _matcher(self, guard: Guard, named: frozenset[str]) -> Matcher:
        known = self._matchers.get((guard, named))
        if known is None:
            known = self._matchers[guard, named] = matcher(guard.rows(named))
        return known

    def check_row(
        self, action: str, named: frozenset[str], old: Values | None, new: Values | None
    ) -> None:
        """Check the write of one row.

        Args:
            action: What is done.
            named: Fields that the sender names.
            old: The row as it was stored; None if it was not there.
            new: The row as it is to be stored; None if it is not.

        Raises:
            Exception: What a guard says.
        """
        known: dict[str, Any] | None = None
        for guard in self.about(action, named, is_static=False):
            if known is None:
                known = self.known(old or {}, new or {})
            if self._matcher(guard, named)(known):
                check(guard)

    def check_stored(self, action: str, named: frozenset[str], new: Values) -> None:
        """Check a row that was stored, as far as its old values do not matter.

        The database may have changed what it was given, by a trigger.

        Raises:
            Exception: What a guard says.
        """
        for guard in self.about(action, named, is_static=False):
            speaks_of_old = any(
                name.startswith(OLD) for name in names_in(guard.rows(named))
            )
            if not speaks_of_old and self._matcher(guard, named)(self.known({}, new)):
                check(guard)

    def known(self, old: Values, new: Values) -> dict[str, Any]:
        """Return the values that conditions speak of; None for what is not there."""
        known = {f"{OLD}{name}": old.get(name) for name in self.names}
        known.update((f"{NEW}{name}", new.get(name)) for name in self.names)
        return known

    def columns(self, changed: Iterable[str]) -> dict[str, Field]:
        """Return what names stand for in an update of the fields *changed*.

        What does not change is, afterwards, what it was before.
        """
        columns = {f"{OLD}{name}": field for name, field in self._columns.items()}
        kept = self._columns.keys() - {*changed}
        columns.update((f"{NEW}{name}", self._columns[name]) for name in kept)
        return columns

    def nothing_new(self) -> dict[str, Any]:
        """Return what is known of rows that are deleted."""
        return {f"{NEW}{name}": None for name in self.names}
