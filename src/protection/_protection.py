"""The protection of one database: its policy, and how that is changed and asked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self, final

from ..errors import PolicyError
from ..messages import Envelope, Operation, Request, Scope
from ..models import Model
from ..sql import POSTGRESQL, Dialect, Permits
from ..telemetry import get_log
from ._approval import Approve
from ._explanation import Change, Explanation, Recorded, explain, simulate
from ._hint import hint
from ._override import Override
from ._sender import Surroundings
from ._write_levels import WriteLevels
from .judging import DEFAULT, Snapshot
from .rules import Policy, RateMeter, Rule, read_policy

__all__ = ["Lift", "Protection"]

_log: Final = get_log("dataflow.protection")

_CURRENT: Final = attrgetter("_current")


def _now() -> datetime:
    return datetime.now(UTC)


@final
class Lift:
    """Rules that were added at run time; leaving its block lifts them again.

    Attributes:
        rules: Their ids.
    """

    def __init__(
        self, lift: Callable[[Iterable[str]], None], rules: Sequence[str]
    ) -> None:
        self.rules = tuple(rules)
        self._lift = lift

    def lift(self) -> None:
        """Take the rules back; idempotent."""
        self._lift(self.rules)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lift()


@final
class Protection:
    """The rules of one database, in force now; ``db.protection`` gives it.

    What is in force is one immutable snapshot. A change makes another one, which holds
    for every message that is judged from then on, except those of runs that began
    before: a run is judged by one snapshot.

    Args:
        policy: What to begin with: a policy, the name of a preset, rules, or None.
        connection: Of which database, without any login; see `Rule.connections`.
        dialect: What that speaks.
        approve: Says whether a message that needs approval has it.
        now: Tells the time, with a time zone.
        clock: Tells the time in seconds, and never goes back.

    Attributes:
        layer: The interceptor.

    Raises:
        PolicyError: The policy is none.
    """

    def __init__(
        self,
        policy: object,
        connection: str,
        dialect: Dialect,
        *,
        approve: Approve | None = None,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = read_policy(policy)
        self._connection = connection
        self._dialect = dialect
        self._clock = clock
        self._models: dict[str, Model] = {}
        self._number = 0
        self._lock = Lock()
        self._around = Surroundings(
            now=now, meter=RateMeter(clock), secret=secrets.token_bytes(32)
        )
        self._current = self._made(self._policy)
        self._recordings: tuple[list[Recorded], ...] = ()
        self.layer = WriteLevels(
            partial(_CURRENT, self),  # no frame of ours, for each message
            self._around,
            dialect,
            approve=approve,
            record=self._record,
            is_recording=lambda: bool(self._recordings),
        )

    def __repr__(self) -> str:
        rules = ", ".join(rule.id for rule in self.policy.rules)
        return f"<Protection {self.version}: {rules or 'no rules'}>"

    @property
    def policy(self) -> Policy:
        """The policy in force, with what models say of themselves."""
        return self._current.policy

    @property
    def version(self) -> str:
        """What tells the snapshot in force from others; every event names it."""
        return self._current.version

    # -- changing it ---------------------------------------------------------------

    def declare(self, model: Model) -> None:
        """Take in a model, whose rules and fields count from now on.

        Raises:
            PolicyError: A rule names a field that it has not, or one of its own rules
                is none.
        """
        with self._lock:
            models = {**self._models, model.name: model}
            self._current = self._made(self._policy, models)
            self._models = models

    def protect(self, *rules: Rule) -> Lift:
        """Add rules, for all messages from now on.

        Returns:
            What takes them back; as a block, it does so at its end.

        Raises:
            PolicyError: A name in them means nothing, or an id is taken.
        """
        self._swap(lambda policy: policy.with_rules(rules), self._checked())
        return Lift(self.lift, [rule.id for rule in rules])

    def read_only(
        self, *, models: Sequence[str] = (), reason: str | None = None
    ) -> Lift:
        """Let nobody write, for all messages from now on.

        Args:
            models: To which models; to all, and by raw SQL, if empty.
            reason: Told to whoever is refused.

        Raises:
            PolicyError: A model is not declared.
        """
        with self._lock:
            number = self._number
        id_ = f"read-only-{number}"
        return self.protect(Rule("deny", ("write",), models, reason=reason, id=id_))

    def lift(self, rules: Iterable[str]) -> None:
        """Take back rules by their ids; those that are gone are left out."""
        ids = tuple(rules)
        self._swap(lambda policy: policy.without(ids), check=False)

    def replace(self, policy: object) -> None:
        """Put another policy in force.

        Raises:
            PolicyError: It is none, or a name in it means nothing; nothing changed.
        """
        other = read_policy(policy)
        self._swap(lambda _: other, self._checked())

    def check(self) -> None:
        """Check that every name in the rules means something, now that it starts.

        Raises:
            PolicyError: One does not.
        """
        self._current.check_once()

    def _checked(self) -> bool:
        """Whether names can be looked up: before any model is declared they cannot."""
        return bool(self._models)

    def _swap(self, change: Callable[[Policy], Policy], check: bool) -> None:  # noqa: FBT001  # it is private
        with self._lock:
            policy = change(self._policy)
            snapshot = self._made(policy)
            if check:
                snapshot.check()
            self._policy, before = policy, self._current
            self._current = snapshot
        ids = {rule.id for rule in snapshot.policy.rules}
        old = {rule.id for rule in before.policy.rules}
        _log.warning(
            "policy_changed",
            version=snapshot.version,
            before=before.version,
            added=sorted(ids - old),
            lifted=sorted(old - ids),
        )

    def _made(
        self, policy: Policy, models: Mapping[str, Model] | None = None
    ) -> Snapshot:
        number = self._number + 1
        known = self._models if models is None else models
        snapshot = Snapshot(policy, known, self._connection, number, self._wall)
        self._number = number
        return snapshot

    def _wall(self, snapshot: Snapshot, envelope: Envelope) -> Permits:
        return self.layer.wall(snapshot, envelope)

    # -- passing by it -------------------------------------------------------------

    def override(
        self,
        rules: Sequence[str],
        *,
        reason: str,
        ticket: str,
        ttl_s: float,
        max_rows: int | None,
    ) -> Override:
        """Return leave to pass by some rules; it is the caller's to end it.

        Raises:
            PolicyError: A rule is not there, or what is given is not enough.
        """
        known = self._waivable()
        if isinstance(rules, str) or not rules:
            raise PolicyError("override", "it names rules: a list of their ids")
        for rule in rules:
            if rule not in known:
                raise PolicyError(rule, f"there is no such rule: {hint(rule, known)}")
        for name, text in (("reason", reason), ("ticket", ticket)):
            if not text.strip():
                raise PolicyError("override", f"it needs a {name}")
        if not ttl_s > 0:
            raise PolicyError("override", "its ttl is a number of seconds above 0")
        if max_rows is not None and max_rows < 0:
            raise PolicyError("override", "its max_rows is at least 0")
        return Override(
            self.layer,
            frozenset(rules),
            reason=reason,
            ticket=ticket,
            ends_at=self._clock() + ttl_s,
            clock=self._clock,
            max_rows=max_rows,
        )

    def _waivable(self) -> tuple[str, ...]:
        snapshot = self._current
        ids = [rule.id for rule in snapshot.policy.rules if rule.effect != "allow"]
        return (*ids, *snapshot.marks, DEFAULT.id)

    # -- asking it -------------------------------------------------------------------

    def explain(
        self,
        message: Request | Envelope | None = None,
        /,
        *,
        model: str = "*",
        operation: str = "sql",
        parameters: Mapping[str, Any] | None = None,
        principal: str | None = None,
        tenant: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Explanation:
        """Return what the rules say of a message, and why; nothing is done or counted.

        Args:
            message: The message; or say what it would be.
            model: Name of the model, or ``*`` for raw SQL.
            operation: Such as ``bulk_delete``; for raw SQL ``sql``.
            parameters: What it would be given; of raw SQL ``query``.
            principal: Who asks.
            tenant: For whom.
            context: What else is known of them.

        Raises:
            PolicyError: A name in the rules, the model or the operation means nothing.
        """
        self.check()
        if isinstance(message, Envelope):
            envelope = message
        else:
            request = message or self._request(model, operation, parameters or {})
            envelope = Envelope(
                message=request,
                principal=principal,
                tenant=tenant,
                scope=Scope(context=context or {}),
            )
        return explain(envelope, self._current, self._around, self._dialect)

    def _request(
        self, model: str, operation: str, parameters: Mapping[str, Any]
    ) -> Request:
        known = tuple(each.value for each in Operation)
        if operation not in known:
            problem = f"there is no operation {operation!r}: {hint(operation, known)}"
            raise PolicyError("explain", problem)
        names = ("*", *self._models)
        if model not in names:
            problem = f"there is no model {model!r}: {hint(model, names)}"
            raise PolicyError("explain", problem)
        return Request(
            node="", model=model, operation=Operation(operation), parameters=parameters
        )

    def simulate(self, policy: object, audit: Iterable[Recorded]) -> list[Change]:
        """Return the recorded messages about which another policy thinks otherwise.

        Args:
            policy: What to try; nothing is changed.
            audit: What was recorded, in the order in which it came.

        Raises:
            PolicyError: The policy is none, or a name in it means nothing.
        """
        snapshot = Snapshot(read_policy(policy), self._models, self._connection, 0)
        snapshot.check()
        return simulate(audit, snapshot, self._around)

    @contextmanager
    def recording(self) -> Generator[list[Recorded]]:
        """Give a list to which every message is added as it is judged."""
        records: list[Recorded] = []
        with self._lock:
            self._recordings = (*self._recordings, records)
        try:
            yield records
        finally:
            with self._lock:
                kept = (each for each in self._recordings if each is not records)
                self._recordings = tuple(kept)

    def _record(self, envelope: Envelope, effect: str, rules: tuple[str, ...]) -> None:
        recordings = self._recordings
        if not recordings:
            return
        message: Request = envelope.message
        scope = envelope.scope
        record = Recorded(
            model=message.model,
            operation=message.operation.value,
            effect=effect,
            rules=rules,
            fields=tuple(_named(message.parameters)),
            principal=envelope.principal,
            tenant=envelope.tenant,
            context={} if scope is None else scope.context,
            at=self._around.now(),
        )
        for each in recordings:
            each.append(record)

    def sql(self, role: str | None = None) -> list[str]:
        """Return statements that have the database hold what it can of the rules.

        Triggers refuse writes that the rules refuse whoever asks, and whenever; what
        depends on the principal, the context, the time or an approval stays with this
        library, and comments at the end say so. Statements that are made later replace
        the triggers of those before. Nothing is run.

        Args:
            role: Name of the role that the application uses on PostgreSQL: it gets the
                rights that the rules leave, and triggers hold back nobody else. None
                for triggers that hold back everybody.

        Raises:
            PolicyError: There is a role, and the database is no PostgreSQL.
        """
        self.check()
        if role is not None and self._dialect is not POSTGRESQL:
            problem = "SQLite knows no roles: leave the role out, and triggers hold"
            raise PolicyError("sql", problem)
        from .pushed import statements  # noqa: PLC0415  # not at start

        return statements(self._current, self._dialect, role)


def _named(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names in parameters, never their values."""
    yield from parameters
