"""What the rules say about one operation on one model.

Rules of this file:

1. Every rule is looked at, so their order means nothing; the most severe effect of
   those that hold decides. What cannot be evaluated holds if it refuses.
2. What a rule says of rows, or of single fields, cannot be known from the message: it
   becomes terms. The rest is decided here.
3. Where nothing is said of rows, numbers or rates, it is decided once for each
   combination of rules that hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, final

import msgspec

from ...messages import Operation
from ...models import Field, Model
from ...sql import ALL, NOTHING, Filter, decide, matcher
from ..rules import SEVERITY, Effect, Rule, Window, is_about_rows, row_columns
from ._decision import DEFAULT, Asker, Decision
from ._marked import Marked
from ._term_maker import Held, TermMaker

__all__ = ["Applied", "Case"]

_NO_MODEL: Final = "*"


class Applied(msgspec.Struct, frozen=True, eq=False):
    """A rule, as far as it is about one case.

    Attributes:
        rule: It.
        actions: Which of the things that the operation does it is about.
        when: Its condition, or None.
    """

    rule: Rule
    actions: frozenset[str]
    when: Filter | None


@final
class Case:
    """What the rules say about one operation on one model.

    Args:
        model: The model; None for rows of none.
        operation: What is asked.
        actions: What that does to rows.
        applied: Rules about these actions, and about seeing what they reply.
        marked: What marks of fields refuse.
        is_closed: Whether what no rule allows is refused.
    """

    def __init__(
        self,
        model: Model | None,
        operation: Operation,
        actions: frozenset[str],
        applied: Sequence[Applied],
        *,
        marked: Sequence[Marked] = (),
        is_closed: bool = False,
    ) -> None:
        self.name = _NO_MODEL if model is None else model.name
        self.operation = operation
        self.actions = actions
        self.applied = tuple(applied)
        self._is_closed = is_closed
        self._columns: Mapping[str, Field] = {} if model is None else row_columns(model)
        self._tests = {
            each: matcher(each.when)
            for each in applied
            if each.when is not None and not is_about_rows(each.when)
        }
        self._maker = TermMaker(model, operation, actions, marked)
        self._asked = _askable(applied, self._tests)
        self._known: dict[int, Decision] = {}

    def quick(
        self, known: Mapping[str, Any], now: Callable[[], datetime]
    ) -> Decision | None:
        """Decide about a message by nothing but who asks, and when.

        Which rules hold is all that a decision depends on, so each combination of
        them is decided once: ten rules cost 1 µs this way, and 15 the long one.

        Args:
            known: What conditions may speak of.
            now: Tells the time, with a time zone; asked only if a rule wants it.

        Returns:
            The decision; None if more has to be looked at, see `judge`.
        """
        if self._asked is None:
            return None
        held = 0
        moment: datetime | None = None
        try:
            for bit, test, window in self._asked:
                if test is not None and not test(known):
                    continue
                if window is not None:
                    if moment is None:
                        moment = now()
                    if not window.holds(moment):
                        continue
                held |= bit
        except Exception:  # noqa: BLE001  # `judge` says which of them refuses
            return None
        decision = self._known.get(held)
        if decision is None:
            someone = _Combination(self.applied, self._asked, held)
            decision = self._judge(someone)
            self._known[held] = decision
        return decision

    def judge(self, asker: Asker, *, may_pass: bool = False) -> Decision:
        """Decide about a message.

        Args:
            asker: Who sent it, and when.
            may_pass: Whether the asker has leave to pass by rules.
        """
        decision = None if may_pass else self.quick(asker.known, lambda: asker.now)
        return self._judge(asker) if decision is None else decision

    def standing(self) -> Decision:
        """Return what is said whoever asks."""
        return self._judge(_Combination(self.applied, (), 0))

    def _judge(self, asker: Asker) -> Decision:
        waived: list[Rule] = []
        held = [
            found
            for each in self.applied
            if (found := self._held(each, asker, waived)) is not None
        ]
        own = [each for each in held if not each.actions.isdisjoint(self.actions)]
        decided = [each for each in own if not each.is_open]
        refusing = [each.rule for each in decided if each.effect == "deny"]
        if not refusing and self._is_closed:
            refusing = self._refused_by_default(own, asker, waived)
        if refusing:
            return Decision(effect="deny", rules=tuple(refusing), waived=tuple(waived))
        terms = self._maker.make(held, asker, waived, is_closed=self._is_closed)
        effect = _most_severe(each.effect for each in decided)
        return Decision(
            effect=effect,
            rules=tuple(each.rule for each in decided if each.effect == effect),
            notes=tuple(
                each.rule for each in decided if each.effect in ("warn", "audit")
            ),
            conditional=tuple(each.rule for each in own if each.is_open),
            waived=tuple(waived),
            terms=terms,
        )

    def _refused_by_default(
        self, own: Sequence[Held], asker: Asker, waived: list[Rule]
    ) -> list[Rule]:
        """Return the default, if something is asked that no rule lets pass."""
        allowed = {
            action for each in own if each.effect != "deny" for action in each.actions
        }
        if self.actions <= allowed:
            return []
        if asker.is_waived(DEFAULT.id):
            waived.append(DEFAULT)
            return []
        return [DEFAULT]

    def _held(self, each: Applied, asker: Asker, waived: list[Rule]) -> Held | None:
        """Return a rule that holds, and for which rows; None if it does not."""
        rule = each.rule
        is_held = asker.held(each)
        if is_held is not None:
            found = Held(rule, each.actions, ALL, rule.effect)
            return found if is_held else None
        rows = self._rows_of(each, asker)
        if rows is NOTHING:
            return None
        effect = rule.effect
        if effect != "allow" and asker.is_waived(rule.id):
            waived.append(rule)
            if effect == "deny":
                return None
            effect = "allow"
        elif effect == "require_approval" and asker.is_approved(rule.id):
            effect = "allow"
        return Held(rule, each.actions, rows, effect)

    def _rows_of(self, each: Applied, asker: Asker) -> Filter:
        """Return for which rows a rule holds: all, none, or those like these."""
        rule = each.rule
        try:
            if rule.window is not None and not rule.window.holds(asker.now):
                return NOTHING
            rows = self._rows(each, asker)
            if rows is NOTHING or rule.rate is None or _holds_by_rate(rule, asker):
                return rows
        except Exception:  # noqa: BLE001  # a rule that fails refuses, see rule 1
            return NOTHING if rule.effect == "allow" else ALL
        return NOTHING

    def _rows(self, each: Applied, asker: Asker) -> Filter:
        if each.when is None:
            return ALL
        test = self._tests.get(each)
        if test is not None:
            return ALL if test(asker.known) else NOTHING
        return decide(each.when, asker.known, self._columns)


def _most_severe(effects: Iterable[Effect]) -> Effect:
    worst: Effect = "allow"
    for each in effects:
        if SEVERITY[each] > SEVERITY[worst]:
            worst = each
    return worst


def _holds_by_rate(rule: Rule, asker: Asker) -> bool:
    is_over = asker.is_over_rate(rule)
    return not is_over if rule.effect == "allow" else is_over


_Asked = tuple[int, Callable[[Mapping[str, Any]], bool] | None, Window | None]
"""A bit that stands for a rule, and when it holds."""


def _askable(
    applied: Sequence[Applied], tests: Mapping[Applied, Callable[[Any], bool]]
) -> tuple[_Asked, ...] | None:
    """Return what has to be asked of a message; None if that is not all.

    Rules that always hold are not asked about. What a rule says of rows, of numbers or
    of rates is for each message by itself, and so is what is noted of single fields.
    """
    asked: list[_Asked] = []
    for place, each in enumerate(applied):
        rule = each.rule
        is_noted_by_field = bool(rule.fields) and rule.effect not in ("deny", "allow")
        if rule.is_cap or rule.rate is not None or is_noted_by_field:
            return None
        if each.when is not None and each not in tests:
            return None
        if each.when is not None or rule.window is not None:
            asked.append((1 << place, tests.get(each), rule.window))
    return tuple(asked)


@final
class _Combination:
    """Whoever asks so that certain rules hold, and the others do not.

    Args:
        applied: The rules.
        asked: Those that do not always hold.
        held: The bits of those that do.
    """

    def __init__(
        self, applied: Sequence[Applied], asked: Sequence[_Asked], held: int
    ) -> None:
        self.known: Any = {"principal": None, "tenant": None, "context": {}}
        self.now: Any = None
        self.fingerprint = ""
        self.is_over_rate: Any = None
        self.budget: Any = None
        self.note: Any = None
        self._places = {each: place for place, each in enumerate(applied)}
        self._asked = sum(bit for bit, _, _ in asked)
        self._held = held

    def held(self, applied: Applied) -> bool | None:
        """Whether a rule holds, if it is one of those asked about."""
        bit = 1 << self._places[applied]
        return bool(self._held & bit) if self._asked & bit else None

    def is_waived(self, rule: str) -> bool:
        """Nobody has leave."""
        del rule
        return False

    is_approved = is_waived
