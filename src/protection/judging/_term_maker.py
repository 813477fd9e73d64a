"""From rules that hold for some rows, fields or numbers to terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, final

import msgspec

from ...messages import Operation
from ...models import Model
from ...sql import (
    ALL,
    NEW,
    OLD,
    Cap,
    Filter,
    Guard,
    Leave,
    Mask,
    Terms,
    conjunction,
    decide,
    disjunction,
    negation,
)
from ..rules import WRITES, Effect, Rule
from ._decision import DEFAULT, Asker, approval_required, blocked, over_limit
from ._marked import Marked
from ._masks import mask_of

__all__ = ["Held", "TermMaker"]

_ROW_WRITES: Final = frozenset({"create", "update", "delete"})
_NAMING: Final = frozenset({"create", "update"})
_REFUSING: Final = ("deny", "require_approval")
_CACHED: Final = 256


class Held(msgspec.Struct, frozen=True, eq=False):
    """A rule that holds for a message.

    Attributes:
        rule: It.
        actions: For which of the things that the message does.
        rows: For which rows; names are those of conditions.
        effect: That of the rule, or of what somebody made of it.
    """

    rule: Rule
    actions: frozenset[str]
    rows: Filter
    effect: Effect

    @property
    def is_open(self) -> bool:
        """Whether it holds for some rows, fields or numbers only."""
        return self.rows is not ALL or bool(self.rule.fields) or self.rule.is_cap


@final
class TermMaker:
    """Makes the terms of messages for one operation on one model.

    Args:
        model: The model; None where there is none, and then nor are there terms.
        operation: What is asked.
        actions: What that does to rows.
        marked: What marks of fields refuse.
    """

    def __init__(
        self,
        model: Model | None,
        operation: Operation,
        actions: frozenset[str],
        marked: Sequence[Marked],
    ) -> None:
        self._model = model
        self._operation = operation
        self._actions = actions
        self._action = min(actions & WRITES, default="read")
        self._marked = [each for each in marked if not each.actions.isdisjoint(actions)]
        self._masked = {} if model is None else _masked(model)
        self._known: dict[tuple[object, ...], Terms | None] = {}

    def make(
        self,
        held: Sequence[Held],
        asker: Asker,
        waived: list[Rule],
        *,
        is_closed: bool,
    ) -> Terms | None:
        """Return the terms of one message; None if it has none.

        Messages to which the same static rules apply share theirs, and may be carried
        out together.
        """
        marked = [each for each in self._marked if not _waive(each, asker, waived)]
        masked = self._masks(held, asker, waived, is_closed=is_closed)
        if not (held or marked or masked):
            return None
        key = _key(held, marked, masked)
        if key is not None and key in self._known:
            return self._known[key]
        terms = self._make(held, marked, masked, asker, is_closed=is_closed)
        if key is not None and len(self._known) < _CACHED:
            self._known[key] = terms
        return terms

    def _make(
        self,
        held: Sequence[Held],
        marked: Sequence[Marked],
        masks: dict[str, Mask],
        asker: Asker,
        *,
        is_closed: bool,
    ) -> Terms | None:
        guards = [guard for each in held for guard in self._guards(each, asker)]
        guards += [
            Guard(
                actions=each.actions,
                when=each.when,
                fields=each.fields,
                hit=partial(self._blocked, each.rule, "update"),
            )
            for each in marked
        ]
        caps = [cap for each in held for cap in self._caps(each, asker)]
        visible = self._visible(held)
        if is_closed:
            guards += self._closing(held)
            caps += self._closing_caps(held, asker)
            visible = [*visible, *self._opened(held)]
        terms = Terms(
            visible=conjunction(visible),
            hidden=partial(self._blocked, _hiding(held), self._action),
            guards=tuple(guards),
            masks=masks,
            unasked=self._unasked,
            caps=tuple(caps),
        )
        is_empty = terms.visible is ALL and not (guards or masks or caps)
        return None if is_empty else terms

    def _blocked(self, rule: Rule, action: str) -> Exception:
        name = "*" if self._model is None else self._model.name
        return blocked(rule, name, self._operation.value, action)

    def _unasked(self, field: str) -> Exception:
        name = "" if self._model is None else self._model.name
        reason = f"{field} is masked, and a filter or an order by it would tell it"
        rule = Rule("deny", fields=(field,), reason=reason, id=f"mask:{name}.{field}")
        return self._blocked(rule, "read")

    # -- writing ----------------------------------------------------------------

    def _guards(self, held: Held, asker: Asker) -> Iterable[Guard]:
        rule = held.rule
        if held.effect == "allow" or rule.is_cap or not held.is_open:
            return
        actions = held.actions & self._actions & _ROW_WRITES
        if rule.fields:
            actions &= _NAMING
        if actions:
            yield Guard(
                actions=actions,
                when=held.rows,
                fields=frozenset(rule.fields) or None,
                refuses=held.effect in _REFUSING,
                hit=self._hit(held, asker, min(actions)),
            )

    def _hit(
        self, held: Held, asker: Asker, action: str
    ) -> Callable[[], Exception | None]:
        rule = held.rule
        if held.effect == "deny":
            return partial(self._blocked, rule, action)
        if held.effect == "require_approval":
            name = "*" if self._model is None else self._model.name
            operation = self._operation.value
            # Asked for now: what tells messages apart costs more than terms.
            return lambda: approval_required(rule, name, operation, asker.fingerprint)

        def note() -> None:
            asker.note(rule)

        return note

    def _closing(self, held: Sequence[Held]) -> Iterable[Guard]:
        """Yield what refuses all that rules allow for other rows or fields only."""
        for action in sorted(self._actions & _ROW_WRITES):
            about = [
                each
                for each in held
                if action in each.actions and each.effect != "deny"
            ]
            leaves = [
                Leave(each.rows, frozenset(each.rule.fields) or None)
                for each in about
                if not (each.rule.fields and action == "delete")
            ]
            if not any(each.when is ALL and each.fields is None for each in leaves):
                yield Guard(
                    actions=frozenset({action}),
                    unless=tuple(leaves),
                    hit=partial(self._blocked, DEFAULT, action),
                )

    # -- numbers ----------------------------------------------------------------

    def _caps(self, held: Held, asker: Asker) -> Iterable[Cap]:
        if held.rule.is_cap and held.effect != "allow":
            yield from self._caps_of(held, asker)

    def _closing_caps(self, held: Sequence[Held], asker: Asker) -> Iterable[Cap]:
        """Yield the limit up to which rules allow, if none allows without one."""
        about = [
            each
            for each in held
            if each.effect != "deny"
            and not each.actions.isdisjoint(self._actions & _ROW_WRITES)
        ]
        if about and all(each.rule.is_cap and each.effect == "allow" for each in about):
            widest = max(about, key=lambda each: _limit(each.rule))
            yield from self._caps_of(widest, asker)

    def _caps_of(self, held: Held, asker: Asker) -> Iterable[Cap]:
        rule = held.rule
        if rule.max_rows is not None:
            yield Cap(rule.max_rows, self._over(held, rule.max_rows, asker))
        if rule.max_rows_per_run is not None:
            limit = rule.max_rows_per_run
            yield Cap(limit, self._over(held, limit, asker), asker.budget(rule))

    def _over(
        self, held: Held, limit: int, asker: Asker
    ) -> Callable[[int], Exception | None]:
        rule = held.rule
        name = "*" if self._model is None else self._model.name
        if held.effect in ("deny", "allow"):
            operation = self._operation.value
            return lambda count: over_limit(rule, name, operation, limit, count)
        hit = self._hit(held, asker, "update")
        is_told = False

        def once(count: int) -> Exception | None:
            nonlocal is_told
            del count
            if is_told:
                return None
            is_told = True
            return hit()

        return once

    # -- reading ----------------------------------------------------------------

    def _visible(self, held: Sequence[Held]) -> list[Filter]:
        """Return what rows must be like to be seen."""
        return [
            negation(self._stored(each.rows))
            for each in held
            if "read" in each.actions
            and each.effect in _REFUSING
            and not each.rule.fields
            and each.rows is not ALL
        ]

    def _opened(self, held: Sequence[Held]) -> list[Filter]:
        """Return of which rows reading is allowed, if it is not of all."""
        if "read" not in self._actions:
            return []
        about = [
            each for each in held if "read" in each.actions and each.effect != "deny"
        ]
        return [disjunction(self._stored(each.rows) for each in about)]

    def _stored(self, rows: Filter) -> Filter:
        """Return a condition on rows as a filter of the model's fields."""
        if self._model is None:
            return rows
        columns = {f"{OLD}{each.name}": each for each in self._model.fields}
        known = {f"{NEW}{name}": None for name in self._model.names}
        return decide(rows, known, columns)

    def _masks(
        self,
        held: Sequence[Held],
        asker: Asker,
        waived: list[Rule],
        *,
        is_closed: bool,
    ) -> dict[str, Mask]:
        """Return the fields that the asker may not see as they are."""
        if self._model is None:
            return {}
        masks = {
            name: mask
            for name, (rule, mask) in self._masked.items()
            if not _is_unmasked(name, held) and not _is_passed(rule, asker, waived)
        }
        for each in held:
            rule = each.rule
            if "read" in each.actions and rule.fields and each.effect in _REFUSING:
                masks.update(self._hidden(rule.fields))
        if is_closed and "read" in self._actions:
            masks.update(self._hidden(self._not_opened(held)))
        return masks

    def _hidden(self, names: Iterable[str]) -> dict[str, Mask]:
        model = self._model
        assert model is not None, "nobody masks what is no model's"  # noqa: S101
        return {
            name: mask_of(model.field(name))
            for name in names
            if name in model.names and name not in model.key
        }

    def _not_opened(self, held: Sequence[Held]) -> Iterable[str]:
        """Return the fields that no rule lets read, where rules name some."""
        about = [
            each.rule.fields
            for each in held
            if "read" in each.actions and each.effect == "allow"
        ]
        if self._model is None or not about or not all(about):
            return ()
        opened = {name for fields in about for name in fields}
        return [name for name in self._model.names if name not in opened]


def _limit(rule: Rule) -> int:
    return min(
        each for each in (rule.max_rows, rule.max_rows_per_run) if each is not None
    )


def _masked(model: Model) -> dict[str, tuple[Rule, Mask]]:
    return {
        field.name: (
            Rule("deny", fields=(field.name,), id=f"mask:{model.name}.{field.name}"),
            mask_of(field),
        )
        for field in model.fields
        if field.marks.mask is not None
    }


def _is_unmasked(name: str, held: Sequence[Held]) -> bool:
    about = [
        each.effect
        for each in held
        if "unmask" in each.actions
        and (not each.rule.fields or name in each.rule.fields)
    ]
    return bool(about) and not any(effect in _REFUSING for effect in about)


def _is_passed(rule: Rule, asker: Asker, waived: list[Rule]) -> bool:
    if not asker.is_waived(rule.id):
        return False
    waived.append(rule)
    return True


def _waive(each: Marked, asker: Asker, waived: list[Rule]) -> bool:
    return _is_passed(each.rule, asker, waived)


def _hiding(held: Sequence[Held]) -> Rule:
    """Return the rule that hides rows, for a new row that meets one of them."""
    return next(
        (each.rule for each in held if "read" in each.actions and each.rows is not ALL),
        DEFAULT,
    )


def _key(
    held: Sequence[Held], marked: Sequence[Marked], masks: dict[str, Mask]
) -> tuple[object, ...] | None:
    """Return what terms depend on; None if on the message itself."""
    for each in held:
        is_noted = each.is_open and each.effect not in ("deny", "allow")
        if each.rows is not ALL or each.rule.is_cap or is_noted:
            return None
    rules = tuple(each.rule for each in held)
    return rules, tuple(each.rule for each in marked), frozenset(masks)
