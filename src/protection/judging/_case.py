"""What the rules say about one operation on one model.

Rules of this file:

1. Every rule is looked at, so their order means nothing; the most severe effect of
   those that hold decides. What cannot be evaluated holds if it refuses.
2. What a rule says of rows, or of single fields, cannot be known from the message: it
   becomes terms. The rest is decided here.
3. Where nothing said of rows, fields, times or askers is left, it is decided once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

import msgspec

from ...messages import Operation
from ...models import Field, Model
from ...sql import ALL, NOTHING, Filter, decide, matcher
from ..rules import SEVERITY, Effect, Rule, is_about_rows, row_columns
from ._decision import ALLOWED, DEFAULT, Asker, Decision
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
        self.fixed: Decision | None = None
        if all(map(_is_fixed, applied)):
            self.fixed = self._judge(_NOBODY)
            if self.fixed.effect == "allow" and self.fixed.terms is None:
                self.fixed = ALLOWED if not self.fixed.rules else self.fixed

    def judge(self, asker: Asker, *, may_pass: bool = False) -> Decision:
        """Decide about a message.

        Args:
            asker: Who sent it, and when.
            may_pass: Whether the asker has leave to pass by rules.
        """
        if self.fixed is not None and not may_pass:
            return self.fixed
        return self._judge(asker)

    def standing(self) -> Decision:
        """Return what is said whoever asks."""
        return self._judge(_NOBODY)

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
        try:
            if rule.window is not None and not rule.window.holds(asker.now):
                return None
            rows = self._rows(each, asker)
            if rows is NOTHING:
                return None
            if rule.rate is not None and not _holds_by_rate(rule, asker):
                return None
        except Exception:  # noqa: BLE001  # a rule that fails refuses, see rule 1
            if rule.effect == "allow":
                return None
            rows = ALL
        effect = rule.effect
        if effect != "allow" and asker.is_waived(rule.id):
            waived.append(rule)
            if effect == "deny":
                return None
            effect = "allow"
        elif effect == "require_approval" and asker.is_approved(rule.id):
            effect = "allow"
        return Held(rule, each.actions, rows, effect)

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


def _is_fixed(each: Applied) -> bool:
    """Whether a rule says the same of every message, whoever asks and when."""
    rule = each.rule
    is_timeless = rule.window is None and rule.rate is None and each.when is None
    is_noted_by_field = bool(rule.fields) and rule.effect not in ("deny", "allow")
    return is_timeless and not rule.is_cap and not is_noted_by_field


@final
class _Nobody:
    """Who is asked where the asker makes no difference: never for more than this."""

    def __init__(self) -> None:
        self.known: Any = {"principal": None, "tenant": None, "context": {}}
        self.now: Any = None
        self.fingerprint = ""
        self.is_over_rate: Any = None
        self.budget: Any = None
        self.note: Any = None

    def is_waived(self, rule: str) -> bool:
        """Nobody has leave."""
        del rule
        return False

    is_approved = is_waived


_NOBODY: Final = _Nobody()
