"""Why a message would pass or not, and what another policy would have said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..errors import BlockedError
from ..messages import Envelope, Operation, Request, Scope
from ..models import Model
from ..sql import ALL, Dialect, Terms, whole_table
from ._decide import decide
from ._sender import Sender, Surroundings
from .judging import Applied, Decision, Snapshot
from .raw import judge_raw
from .rules import RateMeter, Rule

__all__ = ["Change", "Explanation", "NearMiss", "Recorded", "explain", "simulate"]


class NearMiss(msgspec.Struct, frozen=True):
    """A rule about such messages that does not hold for this one.

    Attributes:
        rule: Its id.
        effect: What it would do.
        why: Why it does not hold.
    """

    rule: str
    effect: str
    why: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of a message, and why.

    Attributes:
        effect: ``deny``, ``require_approval``, ``warn``, ``audit`` or ``allow``;
            ``conditional`` if that is for rows, fields or their number to tell.
        rules: Ids of the rules that decide.
        conditional: Ids of the rules that hold for some rows or fields only.
        near_misses: Rules that nearly hold.
        reason: The refusal in words, if it is one.
        pushed_down: Conditions that the database is told, in its SQL without values.
        version: Of the policy.
    """

    effect: str
    rules: tuple[str, ...] = ()
    conditional: tuple[str, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    reason: str | None = None
    pushed_down: tuple[str, ...] = ()
    version: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was judged, without its values.

    Attributes:
        model: Name of the model, or ``*`` for raw SQL.
        operation: What was asked.
        effect: What was decided.
        rules: Ids of the rules that decided.
        fields: Fields that its sender named.
        principal: Who asked.
        tenant: For whom.
        context: What else was known of them.
        at: When, with a time zone.
    """

    model: str
    operation: str
    effect: str
    rules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    principal: str | None = None
    tenant: str | None = None
    context: Mapping[str, Any] = {}
    at: datetime


class Change(msgspec.Struct, frozen=True):
    """A recorded message about which another policy thinks otherwise.

    Attributes:
        recorded: It.
        effect: What would have been decided.
        rules: Ids of the rules that would have.
    """

    recorded: Recorded
    effect: str
    rules: tuple[str, ...]


def explain(
    envelope: Envelope, snapshot: Snapshot, around: Surroundings, dialect: Dialect
) -> Explanation:
    """Return what *snapshot* says of a message, and why; nothing is done or counted."""
    message: Request = envelope.message
    sender = Sender(envelope, around, (), _ignore, is_real=False)
    is_raw = message.operation is Operation.SQL
    try:
        if is_raw:
            decision = judge_raw(message, snapshot, sender, dialect)
        else:
            decision = decide(message, snapshot, sender)
    except BlockedError as error:
        return Explanation(
            effect="deny",
            rules=(error.rule,),
            reason=str(error),
            version=snapshot.version,
        )
    if is_raw:
        return _explained_raw(decision, snapshot)
    case = snapshot.case(message)
    said = {*decision.rules, *decision.notes, *decision.conditional}
    misses = tuple(_near_misses(case.applied, case.actions, said, sender))
    model = snapshot.models.get(message.model)
    terms = decision.terms
    return Explanation(
        effect=_effect(decision),
        rules=_ids(decision.rules),
        conditional=_conditional(decision),
        near_misses=misses,
        pushed_down=tuple(_pushed_down(terms, model, dialect)),
        version=snapshot.version,
    )


def _explained_raw(decision: Decision, snapshot: Snapshot) -> Explanation:
    terms = decision.terms
    is_read_only = terms is not None and terms.is_read_only
    return Explanation(
        effect=_effect(decision),
        rules=_ids(decision.rules),
        pushed_down=("a read-only transaction",) if is_read_only else (),
        version=snapshot.version,
    )


def _effect(decision: Decision) -> str:
    """Return the effect; what hangs on rows is more than a note, less than a refusal."""
    is_open = bool(_conditional(decision))
    is_decided = decision.effect in ("deny", "require_approval")
    return "conditional" if is_open and not is_decided else decision.effect


def _conditional(decision: Decision) -> tuple[str, ...]:
    """Return what may still refuse: rules, and guards that fields bring along."""
    ids = dict.fromkeys(_ids(decision.conditional))
    if decision.terms is not None:
        for guard in decision.terms.guards:
            error = guard.hit() if guard.refuses else None
            if isinstance(error, BlockedError):
                ids[error.rule] = None
    return tuple(ids)


def _ids(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(rule.id for rule in rules)


def _near_misses(
    applied: Iterable[Applied],
    actions: frozenset[str],
    said: set[Rule],
    sender: Sender,
) -> Iterator[NearMiss]:
    for each in applied:
        rule = each.rule
        if rule in said or each.actions.isdisjoint(actions):
            continue
        if rule.window is not None and not rule.window.holds(sender.now):
            why = "it holds at another time"
        elif each.when is not None:
            why = "its condition does not hold"
        elif rule.rate is not None:
            why = f"the rate of {rule.rate} decides"
        else:
            why = "another rule is more severe"
        yield NearMiss(rule.id, rule.effect, why)


def _pushed_down(
    terms: Terms | None, model: Model | None, dialect: Dialect
) -> Iterator[str]:
    if terms is None or model is None or terms.visible is ALL:
        return
    text = whole_table(model, dialect).count(terms.visible).text
    yield text[text.index("WHERE") :]


def _ignore(rule: Rule) -> None:
    """Take note of nothing: it is only asked."""
    del rule


# -- what would have been ------------------------------------------------------------


def simulate(
    audit: Iterable[Recorded], snapshot: Snapshot, around: Surroundings
) -> list[Change]:
    """Return the recorded messages about which *snapshot* thinks otherwise.

    Rates are counted anew, as the messages come; conditions on rows cannot be known
    from a record, so a message is ``conditional`` where they decide.
    """
    changes: list[Change] = []
    clock = _Replayed()
    replayed = Surroundings(
        now=clock.now, meter=RateMeter(clock.seconds), secret=around.secret
    )
    for each in audit:
        clock.at = each.at
        effect, rules = _replay(each, snapshot, replayed)
        if effect != each.effect:
            changes.append(Change(each, effect, rules))
    return changes


class _Replayed:
    """The time at which recorded messages came."""

    at = datetime.now(UTC)

    def now(self) -> datetime:
        """Return it."""
        return self.at

    def seconds(self) -> float:
        """Return it in seconds."""
        return self.at.timestamp()


def _replay(
    each: Recorded, snapshot: Snapshot, around: Surroundings
) -> tuple[str, tuple[str, ...]]:
    """Return the effect there would be, and the ids of the rules behind it."""
    message = Request(
        node="",
        model=each.model,
        operation=Operation(each.operation),
        parameters=dict.fromkeys(each.fields),
    )
    scope = Scope(context=each.context)
    envelope = Envelope(
        message=message, principal=each.principal, tenant=each.tenant, scope=scope
    )
    sender = Sender(envelope, around, (), _ignore)
    try:
        decision = decide(message, snapshot, sender)
    except BlockedError as error:
        return "deny", (error.rule,)
    return _effect(decision), _ids(decision.rules) or _conditional(decision)
