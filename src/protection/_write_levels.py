"""The layer that judges every message by the rules in force.

Rules of this file:

1. A message of a run is judged by the rules that were in force when the first message
   of that run came here; any other by those in force now.
2. What can be told from the message is told here, before anything is planned. The rest
   goes along as terms.
3. What is noted is noted before the message is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final, cast, final

import anyio

from ..actors import Handler, Turn
from ..errors import (
    ApprovalRequiredError,
    BlockedError,
    DataFlowError,
    ReadBlockedError,
)
from ..messages import Envelope, Operation, Request
from ..sql import Cap, Dialect, Terms
from ..telemetry import get_log
from ._approval import Approval, Approve
from ._override import Override
from ._sender import Sender, Surroundings
from .judging import ALLOWED, Decision, Snapshot, approval_required, blocked, over_limit
from .raw import judge_raw
from .rules import WRITES, Rule, actions_of

__all__ = ["WriteLevels"]

_log: Final = get_log("dataflow.protection")

_NOBODY: Final[tuple[Override, ...]] = ()
_OVERRIDE: Final = Rule("deny", id="override", reason="it was for so many rows only")


@final
class WriteLevels:
    """Judges messages; an interceptor.

    Args:
        current: Returns the rules in force.
        around: What rules look at beside a message.
        dialect: What raw SQL is written in.
        approve: Says whether a message that needs it is approved; None if nobody can.
        record: Told what was decided about a message, and by which rules.
    """

    def __init__(
        self,
        current: Callable[[], Snapshot],
        around: Surroundings,
        dialect: Dialect,
        approve: Approve | None,
        record: Callable[[Envelope, str, tuple[str, ...]], None],
    ) -> None:
        self._current = current
        self._around = around
        self._dialect = dialect
        self._approve = approve
        self._record = record

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        """Refuse what the rules refuse, and pass on the rest under their terms."""
        current = self._current()
        watched: list[tuple[Envelope, Snapshot]] = []
        pending: list[Callable[[], Coroutine[Any, Any, None]]] = []
        for envelope in turn.taken:
            if envelope.is_done or not isinstance(envelope.message, Request):
                continue
            snapshot = self._snapshot(envelope, current)
            if snapshot.is_empty:
                continue
            try:
                self._judge(envelope, snapshot, pending)
            except DataFlowError as error:
                self._refuse(turn, envelope, snapshot, error)
                continue
            if envelope.terms is not None:
                watched.append((envelope, snapshot))
        if pending:
            await _settle(pending)
        if not turn:
            return
        await call_next(turn)
        for envelope, snapshot in watched:
            self._note_refused(envelope, snapshot)

    def _snapshot(self, envelope: Envelope, current: Snapshot) -> Snapshot:
        """Return what a message is judged by, see rule 1."""
        scope = envelope.scope
        if scope is None or scope.pins is None:
            return current
        pinned: Snapshot = scope.pins.setdefault(self, current)
        return pinned

    # -- one message --------------------------------------------------------------

    def _judge(
        self,
        envelope: Envelope,
        snapshot: Snapshot,
        pending: list[Callable[[], Coroutine[Any, Any, None]]],
    ) -> None:
        """Judge one message; what has to wait for somebody goes to *pending*.

        Raises:
            BlockedError: The rules refuse it.
            PolicyError: A rule means nothing.
        """
        message: Request = envelope.message
        snapshot.check_once()
        overrides = self._overrides(envelope)
        is_raw = message.operation is Operation.SQL
        if not is_raw:
            decision = snapshot.case(message).fixed
            if decision is ALLOWED and not overrides:
                return
        note = partial(_note, envelope, snapshot)
        sender = Sender(envelope, self._around, overrides, note)
        decision = self._decide(message, snapshot, sender)
        if decision.effect == "require_approval" or _wants_approval(decision):
            if self._approve is not None:
                pending.append(lambda: self._ask(envelope, snapshot, sender, decision))
                return
            if decision.effect == "require_approval":
                raise self._unapproved(message, sender, decision)
        self._admit(envelope, snapshot, sender, decision)

    def _decide(self, message: Request, snapshot: Snapshot, sender: Sender) -> Decision:
        if message.operation is Operation.SQL:
            return judge_raw(message, snapshot, sender, self._dialect)
        case = snapshot.case(message)
        return case.judge(sender, may_pass=bool(sender.overrides))

    def _overrides(self, envelope: Envelope) -> tuple[Override, ...]:
        scope = envelope.scope
        if scope is None or not scope.waivers:
            return _NOBODY
        waivers = cast("tuple[Override, ...]", scope.waivers)
        return tuple(each for each in waivers if each.owner is self and each.holds())

    def _admit(
        self,
        envelope: Envelope,
        snapshot: Snapshot,
        sender: Sender,
        decision: Decision,
    ) -> None:
        """Let a message pass under its terms.

        Raises:
            BlockedError: It does not pass.
        """
        message: Request = envelope.message
        if decision.effect == "deny":
            action = min(actions_of(message.operation) & WRITES, default="read")
            rule = decision.rules[0]
            raise blocked(rule, message.model, message.operation.value, action)
        ids = tuple(rule.id for rule in decision.rules)
        self._record(envelope, decision.effect, ids)
        for rule in decision.notes:
            _note(envelope, snapshot, rule)
        terms = decision.terms
        if decision.waived:
            terms = self._override(envelope, snapshot, sender, decision)
        if terms is not None:
            envelope.terms = terms if envelope.terms is None else envelope.terms & terms

    def _override(
        self,
        envelope: Envelope,
        snapshot: Snapshot,
        sender: Sender,
        decision: Decision,
    ) -> Terms | None:
        """Note which rules are passed by, and count the rows that are written so."""
        message: Request = envelope.message
        terms = decision.terms
        ids = {rule.id for rule in decision.waived}
        for each in sender.overrides:
            passed = sorted(ids & each.rules)
            if not passed:
                continue
            _log.warning(
                "protection_overridden",
                rules=passed,
                reason=each.reason,
                ticket=each.ticket,
                **_facts(message, envelope, snapshot),
            )
            if each.max_rows is not None:
                own = Terms(caps=(_cap(each, each.max_rows, message),))
                terms = own if terms is None else terms & own
        return terms

    # -- approval -----------------------------------------------------------------

    async def _ask(
        self,
        envelope: Envelope,
        snapshot: Snapshot,
        sender: Sender,
        decision: Decision,
    ) -> None:
        """Have a message approved, and judge it by that; refuse it otherwise."""
        message: Request = envelope.message
        wanting = [
            rule
            for rule in (*decision.rules, *decision.conditional)
            if rule.effect == "require_approval"
        ]
        approval = Approval(
            fingerprint=sender.fingerprint,
            rules=tuple(rule.id for rule in wanting),
            reasons=tuple(rule.reason for rule in wanting if rule.reason),
            model=message.model,
            operation=message.operation.value,
            principal=envelope.principal,
            tenant=envelope.tenant,
            context=sender.known["context"],
            run_id=envelope.run_id,
        )
        is_approved = False
        with anyio.CancelScope(deadline=envelope.deadline):
            is_approved = await self._is_approved(approval)
        try:
            if is_approved:
                sender.approved = frozenset(approval.rules)
                decision = self._decide(message, snapshot, sender)
                _log.info(
                    "write_approved",
                    rules=list(approval.rules),
                    fingerprint=approval.fingerprint,
                    **_facts(message, envelope, snapshot),
                )
            elif decision.effect == "require_approval":
                raise self._unapproved(message, sender, decision)
            self._admit(envelope, snapshot, sender, decision)
        except DataFlowError as error:
            self._log_refusal(envelope, snapshot, error)
            envelope.fail(error)

    async def _is_approved(self, approval: Approval) -> bool:
        approve = self._approve
        assert approve is not None, "nobody is asked without"  # noqa: S101
        try:
            return await approve(approval) is True
        except Exception as error:  # noqa: BLE001  # who cannot say yes has not said it
            _log.warning(
                "approval_failed",
                rules=list(approval.rules),
                error=type(error).__name__,
            )
            return False

    @staticmethod
    def _unapproved(
        message: Request, sender: Sender, decision: Decision
    ) -> BlockedError:
        operation = message.operation.value
        rule = decision.rules[0]
        return approval_required(rule, message.model, operation, sender.fingerprint)

    # -- what is told ---------------------------------------------------------------

    def _refuse(
        self, turn: Turn, envelope: Envelope, snapshot: Snapshot, error: DataFlowError
    ) -> None:
        self._log_refusal(envelope, snapshot, error)
        if isinstance(error, BlockedError):
            is_open = isinstance(error, ApprovalRequiredError)
            effect = "require_approval" if is_open else "deny"
            self._record(envelope, effect, (error.rule,))
        turn.refuse(envelope, error)

    def _note_refused(self, envelope: Envelope, snapshot: Snapshot) -> None:
        """Note that a message was refused when its rows were seen."""
        error = envelope.error
        if error is not None and not isinstance(error, BlockedError):
            error = error.__cause__
        if isinstance(error, BlockedError):
            self._log_refusal(envelope, snapshot, error)

    @staticmethod
    def _log_refusal(
        envelope: Envelope, snapshot: Snapshot, error: DataFlowError
    ) -> None:
        rule = error.rule if isinstance(error, BlockedError) else "policy"
        kind = type(error).__name__
        facts = _facts(envelope.message, envelope, snapshot)
        is_read = isinstance(error, ReadBlockedError)
        event = "read_denied" if is_read else "write_denied"
        _log.warning(event, rule=rule, error=kind, **facts)


def _note(envelope: Envelope, snapshot: Snapshot, rule: Rule) -> None:
    """Log that a rule held which only wants that."""
    facts = _facts(envelope.message, envelope, snapshot)
    if rule.effect == "warn":
        _log.warning("write_warned", rule=rule.id, **facts)
    else:
        _log.info("write_audited", rule=rule.id, **facts)


def _facts(
    message: Request, envelope: Envelope, snapshot: Snapshot
) -> dict[str, object]:
    return {
        "model": message.model,
        "operation": message.operation.value,
        "version": snapshot.version,
        "run_id": envelope.run_id,
    }


def _cap(override: Override, limit: int, message: Request) -> Cap:
    operation = message.operation.value

    def hit(count: int) -> Exception:
        return over_limit(_OVERRIDE, message.model, operation, limit, count)

    return Cap(limit, hit, override.budget)


def _wants_approval(decision: Decision) -> bool:
    return decision.effect != "deny" and any(
        rule.effect == "require_approval" for rule in decision.conditional
    )


async def _settle(pending: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    async with anyio.create_task_group() as tasks:
        for each in pending:
            tasks.start_soon(each)
