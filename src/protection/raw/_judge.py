"""Raw SQL, judged by the same rules as everything else.

What a rule says of rows cannot be put into a statement that somebody else wrote: such
a rule counts as one that holds, and one that allows as one that does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, final

from msgspec.structs import replace

from ...errors import BlockedError, ReadBlockedError, WriteBlockedError
from ...messages import Request
from ...sql import ALL, NOTHING, POSTGRESQL, Cap, Dialect, Terms
from ..judging import Asker, Decision, Reach, Snapshot, blocked
from ..rules import ACTIONS, SEVERITY, Effect, Rule
from ._statement import Access, Reading, read_statement
from ._wall import OWN_TABLES, Wall

__all__ = ["judge_beside", "judge_raw", "judge_reached", "not_understood"]

_NO_MODEL: Final = "*"
_OPERATION: Final = "sql"
_UNKNOWN: Final = "a statement that is not understood"
_AUDIT: Final = f"{OWN_TABLES}audit"


def judge_raw(
    message: Request, snapshot: Snapshot, asker: Asker, dialect: Dialect
) -> Decision:
    """Decide about raw SQL.

    Raises:
        BlockedError: The rules refuse it, or something that it may do.
        PolicyError: The library that parses SQL is not installed.
    """
    text = message.parameters.get("query")
    if not isinstance(text, str):
        return Decision()  # the actor says what is wrong with it
    reading = read_statement(text, dialect)
    decision = _RawCase(snapshot, asker).judge(reading)
    terms = decision.terms
    if terms is None or reading.problem is not None:
        return decision
    # PostgreSQL is asked afterwards, and keeps what only reads from writing by itself.
    is_asked = dialect is not POSTGRESQL or snapshot.limits_reads
    if terms.is_read_only and not is_asked:
        return decision
    wall = _wall(reading, snapshot, asker)
    return replace(decision, terms=replace(terms, permits=wall))


def _wall(reading: Reading, snapshot: Snapshot, asker: Asker) -> Wall:
    """Return what the database is held to, whatever the text says."""

    def judge(access: Access) -> None:
        _RawCase(snapshot, asker).judge_beside(access)

    accesses = (*reading.accesses, *_passed_on(reading, snapshot))
    return Wall(accesses, snapshot.models, judge, not_understood)


def _passed_on(reading: Reading, snapshot: Snapshot) -> Iterator[Access]:
    """Yield what foreign keys make of a statement, which was judged with it."""
    for access in reading.accesses:
        if access.action not in ("update", "delete"):
            continue
        by_update = access.action == "update"
        for model in snapshot.models.values():
            if model.table.casefold() != access.table.casefold():
                continue
            for each in snapshot.reached_from(
                model.name, access.columns, by_update=by_update
            ):
                table = snapshot.models[each.model].table
                yield Access(table, each.action, each.fields)


def judge_reached(
    message: Request, reached: Iterable[Reach], snapshot: Snapshot, asker: Asker
) -> Decision:
    """Decide about what the database does to rows of other models for a message.

    Which rows it will be is not known, so rules about rows count as rules that hold.

    Raises:
        BlockedError: The rules refuse it.
    """
    case = _RawCase(snapshot, asker, message.operation.value)
    return case.judge_reached(reached)


def judge_beside(
    access: Access, snapshot: Snapshot, asker: Asker, operation: str
) -> None:
    """Judge what the database does for a message, beside its statements.

    Raises:
        BlockedError: It is refused.
    """
    _RawCase(snapshot, asker, operation).judge_beside(access)


@final
class _RawCase:
    """One statement before the rules."""

    def __init__(
        self, snapshot: Snapshot, asker: Asker, operation: str = _OPERATION
    ) -> None:
        self._snapshot = snapshot
        self._operation = operation
        self._asker = asker
        self._tables: dict[str, list[str]] = {}
        for model in snapshot.models.values():
            self._tables.setdefault(model.table.casefold(), []).append(model.name)
        self._effect: Effect = "allow"
        self._rules: dict[Rule, None] = {}
        self._notes: dict[Rule, None] = {}
        self._waived: dict[Rule, None] = {}
        self._caps: list[Cap] = []

    def judge(self, reading: Reading) -> Decision:
        """Decide about a statement that does this.

        Raises:
            BlockedError: The rules refuse it.
        """
        if reading.problem is not None:
            self._judge_unknown(reading.problem)
            if self._caps:
                raise not_understood(reading.problem)
            return self._decision(is_read_only=False)
        others: set[str] = set()
        for access in reading.accesses:
            self._judge_access(access, others)
        if self._caps and not reading.is_simple:
            problem = "the rows it writes cannot be counted"
            raise not_understood(problem)
        is_read_only = all(each.action == "read" for each in reading.accesses)
        return self._decision(is_read_only=is_read_only, tables=others)

    def _judge_access(self, access: Access, others: set[str]) -> None:
        models = self._tables.get(access.table.casefold())
        if models is None:
            if not access.is_doubtful:
                self._judge_own(access)
                self._judge_one(_NO_MODEL, access.action, access.columns)
                if not self._would_pass_everywhere(access):
                    others.add(access.table)
            return
        for model in models:
            self._judge_one(model, access.action, access.columns)
            if access.action == "delete":
                self.judge_reached(self._snapshot.reached_from(model))
            elif access.action == "update":
                changed = self._snapshot.reached_from(
                    model, access.columns, by_update=True
                )
                self.judge_reached(changed)

    def _judge_own(self, access: Access) -> None:
        """Judge what is done to a table that this library keeps for itself.

        Raises:
            BlockedError: It is refused.
        """
        name = access.table.casefold()
        if not name.startswith(OWN_TABLES):
            return
        if access.action != "read":
            self._judge_unknown("it writes to a table that dataflow keeps for itself")
        elif name.startswith(_AUDIT):
            # It holds the values of rows.
            for model in self._snapshot.models:
                self._judge_one(model, "read", None)

    def judge_beside(self, access: Access) -> None:
        """Judge what the database does for the statement, beside its text.

        Raises:
            BlockedError: It is refused.
        """
        self._judge_access(access, set())
        if self._effect == "require_approval":
            problem = "it does more than was approved"
        elif self._caps and access.table.casefold() in self._tables:
            problem = "the rows it writes cannot be counted"
        else:
            return
        raise not_understood(problem)

    def judge_reached(self, reached: Iterable[Reach]) -> Decision:
        """Judge what foreign keys make of a write.

        Raises:
            BlockedError: It is refused.
        """
        for each in reached:
            n_caps = len(self._caps)
            self._judge_one(each.model, each.action, each.fields)
            if len(self._caps) > n_caps:
                problem = "rows that foreign keys make it write cannot be counted"
                raise not_understood(problem)
        return self._decision(is_read_only=False)

    def _would_pass_everywhere(self, access: Access) -> bool:
        """Whether it would pass on any model, so that it may be a view of one."""
        case = _RawCase(self._snapshot, self._asker)
        try:
            for model in self._snapshot.models:
                case._judge_one(model, access.action, None)
        except BlockedError:
            return False
        return not case._caps and case._effect != "require_approval"

    def _judge_unknown(self, problem: str) -> None:
        """Judge what may do anything to any table.

        Raises:
            BlockedError: Something of that is refused.
        """
        try:
            for model in (_NO_MODEL, *self._snapshot.models):
                for action in ACTIONS:
                    if action != "unmask":
                        self._judge_one(model, action, None)
        except BlockedError as error:
            kind = (
                ReadBlockedError
                if isinstance(error, ReadBlockedError)
                else (WriteBlockedError)
            )
            instead = f"{problem}: write one plain statement about known tables"
            raise kind(
                _NO_MODEL, _OPERATION, error.rule, error.reason, instead
            ) from None

    def _judge_one(
        self, model: str, action: str, columns: frozenset[str] | None
    ) -> None:
        """Judge one action on one model.

        Raises:
            BlockedError: It is refused.
        """
        case = self._snapshot.raw_case(model, action)
        decision = case.judge(self._asker, may_pass=True)
        if decision.effect == "deny":
            raise blocked(decision.rules[0], model, self._operation, action)
        self._notes.update(dict.fromkeys(decision.notes))
        self._waived.update(dict.fromkeys(decision.waived))
        if SEVERITY[decision.effect] > SEVERITY[self._effect]:
            self._effect = decision.effect
            self._rules.clear()
        if decision.effect == self._effect:
            self._rules.update(dict.fromkeys(decision.rules))
        if decision.terms is not None:
            self._keep_to(decision.terms, model, action, columns)

    def _keep_to(
        self, terms: Terms, model: str, action: str, columns: frozenset[str] | None
    ) -> None:
        """Keep to terms as far as a statement that is there already can.

        Raises:
            Exception: What the terms say.
        """
        names = self._fields(model, columns)
        if action == "read":
            if terms.visible is not ALL:
                raise terms.hidden()
            for name in sorted(names.intersection(terms.masks)):
                raise terms.unasked(name)
            return
        for guard in terms.guards:
            if not guard.is_about(action, names) or guard.rows(names) is NOTHING:
                continue
            error = guard.hit()
            if error is not None:
                raise error
        self._caps += terms.caps

    def _fields(self, model: str, columns: frozenset[str] | None) -> frozenset[str]:
        known = self._snapshot.models.get(model)
        if known is None:
            return columns or frozenset()
        return frozenset(
            name
            for name in known.names
            if columns is None or name.casefold() in columns
        )

    def _decision(self, *, is_read_only: bool, tables: Iterable[str] = ()) -> Decision:
        terms = Terms(
            caps=tuple(self._caps),
            is_read_only=is_read_only,
            tables=tuple(sorted(tables)),
            not_a_table=_not_a_table,
        )
        return Decision(
            effect=self._effect,
            rules=tuple(self._rules),
            notes=tuple(self._notes),
            waived=tuple(self._waived),
            terms=terms,
        )


def _not_a_table() -> BlockedError:
    return not_understood("it names a view, or part of another table")


def not_understood(problem: str) -> BlockedError:
    """Return the refusal of what may do anything."""
    instead = "write one plain statement about known tables"
    return WriteBlockedError(_NO_MODEL, _OPERATION, _UNKNOWN, problem, instead)
