"""What travels between actors.

An `Envelope` is the one mutable thing on the path: it carries a frozen message
to an actor and the outcome back. Everything in a message is frozen; what it
refers to must not be changed after it was sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Envelope", "Message", "Operation", "Request"]


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
        chain: Paths of the actors that wait for the answer, outermost first.
        attempt: Deliveries so far.
        sent_at: When it was sent, in seconds on the clock of `time.monotonic`; 0 when
            nobody waits.
        on_done: Told once when the envelope is resolved.
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
    chain: tuple[str, ...] = ()
    attempt: int = 0
    sent_at: float = 0.0
    on_done: Callable[[Envelope], None] | None = None
    is_done: bool = False
    is_abandoned: bool = False
    result: Any = None
    error: BaseException | None = None

    def reply(self, result: object) -> None:
        """Resolve with *result*; ignored if resolved already."""
        if self.is_done:
            return
        self.result = result
        self.is_done = True
        if self.on_done is not None:
            self.on_done(self)

    def fail(self, error: BaseException) -> None:
        """Resolve with *error*; ignored if resolved already."""
        if self.is_done:
            return
        self.error = error
        self.is_done = True
        if self.on_done is not None:
            self.on_done(self)
