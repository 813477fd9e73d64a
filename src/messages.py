"""What travels between actors.

An `Envelope` is the one mutable thing on the path: it carries a frozen message
to an actor and the outcome back. Everything in a message is frozen; what it
refers to must not be changed after it was sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, Final, Protocol, cast

import msgspec

__all__ = [
    "CrossTenant",
    "Envelope",
    "Judged",
    "Message",
    "Operation",
    "Request",
    "Scope",
    "Ticket",
    "acting",
    "plain_context",
]


class Operation(StrEnum):
    """What a request does to the rows of a model."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    COUNT = "count"
    AGGREGATE = "aggregate"
    UPSERT = "upsert"
    BULK_CREATE = "bulk_create"
    BULK_UPDATE = "bulk_update"
    BULK_DELETE = "bulk_delete"
    BULK_UPSERT = "bulk_upsert"
    RESTORE = "restore"
    HISTORY = "history"
    STREAM = "stream"
    EXPLAIN = "explain"
    SQL = "sql"

    @property
    def is_write(self) -> bool:
        """Whether rows may change; raw SQL counts as a write."""
        return self not in _READS


_READS = frozenset(
    {
        Operation.READ,
        Operation.LIST,
        Operation.COUNT,
        Operation.AGGREGATE,
        Operation.STREAM,
        Operation.EXPLAIN,
        Operation.HISTORY,
    }
)


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all messages; interceptors tell them apart by their class."""


class Request(Message, frozen=True, kw_only=True, eq=False):
    """Ask the node of a model for one operation.

    Attributes:
        node: Name of the node type, such as ``UserCreateNode``.
        model: Name of the model, or ``*`` for raw SQL.
        operation: What is asked.
        parameters: As the sender gave them; the node checks them again.
    """

    node: str
    model: str
    operation: Operation
    parameters: Mapping[str, Any]

    def __repr__(self) -> str:
        # Names only: values may be personal, and a repr ends up in logs.
        names = ", ".join(map(str, self.parameters))
        return f"<Request {self.node}({names})>"


class CrossTenant(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to work with the rows of all tenants.

    Attributes:
        reason: Why, for the log.
        may_write: Whether not only to read them.
    """

    reason: str
    may_write: bool = False


class Scope(msgspec.Struct, kw_only=True, eq=False):
    """On whose behalf messages are sent: those of one run, or of a block of calls.

    Attributes:
        principal: Who asks, or None.
        tenant: For whom, or None.
        context: What else is known about it, as plain values.
        waivers: Leave to pass by named rules, for as long as each holds.
        pins: What a layer keeps for as long as one run lasts, by the layer; None
            outside of runs.
        cross_tenant: Leave to work with the rows of all tenants, or None.
        is_question: Whether layers are only asked whether it may be: nothing is done, and
            nothing counts as done.
    """

    principal: str | None = None
    tenant: str | None = None
    context: Mapping[str, Any] = {}
    waivers: tuple[Any, ...] = ()
    pins: dict[Any, Any] | None = None
    cross_tenant: CrossTenant | None = None
    is_question: bool = False

    def of_run(self) -> Scope:
        """Return that of a run which somebody starts who acts under this one."""
        pins = {} if self.pins is None else self.pins
        return Scope(
            context=self.context,
            waivers=self.waivers,
            pins=pins,
            cross_tenant=self.cross_tenant,
        )


acting: Final[ContextVar[Scope | None]] = ContextVar("acting", default=None)
"""For whom the running code acts; read by senders when they make an envelope."""


def plain_context(given: object) -> dict[str, Any]:
    """Return a copy of what is known beside who asks, if it is plain values by name.

    Raises:
        TypeError: It is not; the name is told, never the value.
    """
    if not isinstance(given, Mapping):
        msg = f"context is a mapping of names to values, not {type(given).__name__}"
        raise TypeError(msg)
    named = cast("Mapping[Any, Any]", given)  # type: ignore[redundant-cast]
    for name, value in named.items():
        if not isinstance(name, str):
            msg = f"context maps names to values: a key is a {type(name).__name__}"
            raise TypeError(msg)
        if not _is_plain(value):
            msg = (
                f"context[{name!r}] is a {type(value).__name__}: give plain values "
                "(text, numbers, booleans, None, and lists and dicts of them)"
            )
            raise TypeError(msg)
    return dict(named)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return all(isinstance(n, str) and _is_plain(v) for n, v in named.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, cast("list[object]", value)))
    return value is None or isinstance(value, str | int | float | bool)


class Ticket(Protocol):
    """What whoever let a message in wants to be told of it; both only once."""

    def begin(self) -> None:
        """Note that an actor begins with it."""
        ...

    def close(self) -> None:
        """Note that it is resolved, or did not get in after all."""
        ...


class Judged(msgspec.Struct, frozen=True):
    """By what a message was let through.

    Attributes:
        policy: Version of the rules.
        overridden: Ids of the rules that somebody had leave to pass by.
        approved: Ids of the rules that wanted approval, and had it.
        wall: Returns for a message what says what the database may do for it beside
            its statements, by triggers say; None if anything.
    """

    policy: str
    overridden: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    wall: Callable[[Envelope], Any] | None = None


class Envelope(msgspec.Struct, kw_only=True, eq=False):
    """One message on its way to an actor, and what became of it.

    The sender fills the upper half, the actor resolves it exactly once by
    `reply` or `fail`; later calls are ignored, so a crash after a reply is
    harmless. `on_done` runs in the actor's task and must not block or raise.

    Attributes:
        message: What the actor receives.
        deadline: Time by which the work must be done, in seconds on the clock
            of `anyio.current_time`; infinity means no limit.
        is_idempotent: May be delivered again after a crash.
        key: Idempotency key; a message that has one may be delivered again.
        run_id: Id of the workflow run, or None outside of one.
        trace_id: Id that spans several runs, for logs.
        principal: Who asks, or None.
        tenant: For whom, or None.
        scope: What else is known of whoever asks, or None.
        terms: Under what terms the handler may carry it out; layers set them, on the
            receiving side. None means any way.
        judged: By what it was let through; set like `terms`. None where are no rules.
        chain: Paths of the actors that wait for the answer, outermost first.
        attempt: Deliveries so far.
        sent_at: When it was sent, in seconds on the clock of `time.monotonic`; 0 when
            nobody waits.
        on_done: Told once when the envelope is resolved.
        ticket: Of whoever let it into a mailbox, or None; told before `on_done`.
        is_done: Whether it is resolved.
        is_abandoned: The sender no longer waits; an actor skips it.
        result: What the actor replied.
        error: Why it failed, or None.
    """

    message: Any
    deadline: float = math.inf
    is_idempotent: bool = False
    key: str | None = None
    run_id: str | None = None
    trace_id: str | None = None
    principal: str | None = None
    tenant: str | None = None
    scope: Scope | None = None
    terms: Any = None
    judged: Judged | None = None
    chain: tuple[str, ...] = ()
    attempt: int = 0
    sent_at: float = 0.0
    on_done: Callable[[Envelope], None] | None = None
    ticket: Ticket | None = None
    is_done: bool = False
    is_abandoned: bool = False
    result: Any = None
    error: BaseException | None = None

    def __repr__(self) -> str:
        # Without the result: it is rows.
        state = "done" if self.is_done else "waiting"
        return f"<Envelope of {self.message!r}, {state}>"

    def reply(self, result: object) -> None:
        """Resolve with *result*; ignored if resolved already."""
        if self.is_done:
            return
        self.result = result
        self.is_done = True
        if self.ticket is not None:
            self.ticket.close()
        if self.on_done is not None:
            self.on_done(self)

    def fail(self, error: BaseException) -> None:
        """Resolve with *error*; ignored if resolved already."""
        if self.is_done:
            return
        self.error = error
        self.is_done = True
        if self.ticket is not None:
            self.ticket.close()
        if self.on_done is not None:
            self.on_done(self)
