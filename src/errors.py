"""Every error of the package: one class per decision a caller can take.

Rules of this file: facts travel in ``args``, so errors pickle and log cleanly;
the sentence (what happened: what to do) is made in ``__str__``; no class holds
a password, and none but `FieldValueError` names a value that a caller sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

__all__ = [
    "ActorError",
    "ActorRestartedError",
    "AmbiguousFilterError",
    "AuthenticationError",
    "ClosedError",
    "ConfirmationRequiredError",
    "ConnectionLostError",
    "ConstraintError",
    "CycleError",
    "DataFlowError",
    "DatabaseUnreachableError",
    "DeadlineExceededError",
    "DeadlockError",
    "DriverError",
    "DuplicateKeyError",
    "EdgeError",
    "FieldValueError",
    "FilterError",
    "MailboxClosedError",
    "MailboxFullError",
    "MessageDroppedError",
    "MissingExtraError",
    "MissingFieldError",
    "ModelError",
    "ParameterError",
    "PoisonMessageError",
    "QueryError",
    "RecordNotFoundError",
    "RestartLimitError",
    "StoredValueError",
    "TransactionConflictError",
    "UnknownFieldError",
    "UnknownModelError",
    "UnknownNodeError",
    "UrlError",
    "WorkflowBuildError",
    "WorkflowError",
    "WriteBlockedError",
    "nearest",
]


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the member of *known* most like *name*, or None if none is near."""
    folded = {each.casefold(): each for each in known}
    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def _hint(name: str, known: Sequence[str]) -> str:
    """Say the nearest valid name, or all of them when none is near."""
    match = nearest(name, known)
    if match is not None:
        return f"did you mean {match!r}?"
    return f"valid names are {', '.join(known)}" if known else "there are none"


class DataFlowError(Exception):
    """Base of every error this package raises on purpose."""


# -- declaring models ---------------------------------------------------------


class ModelError(DataFlowError):
    """A model cannot be declared as written.

    Attributes:
        model: Name of the class.
        field: Name of the offending field, or None when the whole is wrong.
        problem: What is wrong and what is supported.
    """

    def __init__(self, model: str, field: str | None, problem: str) -> None:
        super().__init__(model, field, problem)
        self.model = model
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        place = self.model if self.field is None else f"{self.model}.{self.field}"
        return f"{place} cannot be declared: {self.problem}"


class UnknownModelError(DataFlowError, LookupError):
    """No model of this name is declared.

    Attributes:
        name: What was asked for.
        known: The names that are declared.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        hint = _hint(self.name, self.known)
        return f"no model {self.name!r} is declared here: {hint}"


# -- parameters of nodes ------------------------------------------------------


class ParameterError(DataFlowError, ValueError):
    """A node was given parameters it cannot use; nothing was stored.

    Attributes:
        owner: The node or model that refused.
        field: The parameter or field.
    """

    owner: str
    field: str


class UnknownFieldError(ParameterError):
    """A parameter or field that the node does not have.

    Attributes:
        known: The names that it has.
    """

    def __init__(self, owner: str, field: str, known: tuple[str, ...]) -> None:
        super().__init__(owner, field, known)
        self.owner = owner
        self.field = field
        self.known = known

    def __str__(self) -> str:
        return f"{self.owner} has no {self.field!r}: {_hint(self.field, self.known)}"


class MissingFieldError(ParameterError):
    """A required parameter or field is absent.

    Attributes:
        expected: What it should be.
    """

    def __init__(self, owner: str, field: str, expected: str) -> None:
        super().__init__(owner, field, expected)
        self.owner = owner
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        return (
            f"{self.owner} needs {self.field!r} ({self.expected}): "
            "give it as a parameter or connect it"
        )


class FieldValueError(ParameterError):
    """A value of the wrong type, or outside what both databases can hold.

    Attributes:
        came: What came, described by its type (never the value itself).
        expected: What the field takes.
    """

    def __init__(self, owner: str, field: str, came: str, expected: str) -> None:
        super().__init__(owner, field, came, expected)
        self.owner = owner
        self.field = field
        self.came = came
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.owner}.{self.field} takes {self.expected}, not {self.came}"


class FilterError(DataFlowError, ValueError):
    """A filter, an order or a cursor that cannot be understood.

    Attributes:
        path: Where in the filter, such as ``age.$gt``.
        problem: What is wrong and what would be right.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path or 'filter'}: {self.problem}"


class ConfirmationRequiredError(DataFlowError):
    """A bulk change without a filter would touch every row.

    Attributes:
        node: The node that refused.
    """

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node

    def __str__(self) -> str:
        return (
            f"{self.node} has an empty filter and would change every row: "
            "give a filter, or confirmed=True if every row is meant"
        )


# -- rows ---------------------------------------------------------------------


class RecordNotFoundError(DataFlowError, LookupError):
    """No row matches the key or filter.

    Attributes:
        model: Name of the model.
        key: Names of the fields that were looked up.
    """

    def __init__(self, model: str, key: tuple[str, ...]) -> None:
        super().__init__(model, key)
        self.model = model
        self.key = key

    def __str__(self) -> str:
        return (
            f"no {self.model} matches the given {', '.join(self.key)}: check the "
            "key, or pass raise_on_not_found=False"
        )


class AmbiguousFilterError(DataFlowError):
    """A node for one row was given a filter that matches several; none changed.

    Attributes:
        node: The node that refused.
        bulk: The node that takes many rows.
    """

    def __init__(self, node: str, bulk: str) -> None:
        super().__init__(node, bulk)
        self.node = node
        self.bulk = bulk

    def __str__(self) -> str:
        return (
            f"{self.node} works on one row and its filter matches several; nothing "
            f"was changed: narrow the filter, or use {self.bulk}"
        )


class StoredValueError(DataFlowError):
    """A stored value does not fit the field's type any more.

    Attributes:
        model: Name of the model.
        field: Name of the field.
        expected: What the field takes.
    """

    def __init__(self, model: str, field: str, expected: str) -> None:
        super().__init__(model, field, expected)
        self.model = model
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        return (
            f"the database holds a {self.model}.{self.field} that is not "
            f"{self.expected}: correct the row, or widen the field's type"
        )


# -- databases ----------------------------------------------------------------


class UrlError(DataFlowError, ValueError):
    """A database URL that cannot be understood.

    Attributes:
        url: The URL with its password masked.
        problem: What is wrong and what would be right.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url = url
        self.problem = problem

    def __str__(self) -> str:
        return f"database URL {self.url!r}: {self.problem}"


class DriverError(DataFlowError):
    """The database could not do what was asked; the client's error is the cause.

    Attributes:
        message: What the database said, without values of rows.
        code: SQLSTATE, or the SQLite error name; empty when there is none.
        retryable: Whether the same work may succeed when sent again.
    """

    retryable = False

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]" if self.code else self.message


class DatabaseUnreachableError(DriverError):
    """No connection could be made: check address, network and server."""

    retryable = True


class AuthenticationError(DriverError):
    """The server refused user, password or database name."""


class ConnectionLostError(DriverError):
    """The connection ended in the middle; whether the work was done is unknown."""

    retryable = True


class TransactionConflictError(DriverError):
    """Deadlock, serialization failure or lock timeout: nothing was done."""

    retryable = True


class QueryError(DriverError):
    """The database refused the statement: syntax, unknown table or column."""


class ConstraintError(DriverError):
    """A row breaks a rule of its table; nothing was stored.

    Attributes:
        kind: ``unique``, ``not_null``, ``check``, ``foreign_key`` or ``exclusion``.
        table: Name of the table, empty when the database does not say.
        fields: Columns concerned, empty when the database does not say.
    """

    def __init__(
        self, kind: str, table: str, fields: tuple[str, ...], code: str = ""
    ) -> None:
        super().__init__(kind, code)
        self.args = (kind, table, fields, code)
        self.kind = kind
        self.table = table
        self.fields = fields

    def __str__(self) -> str:
        place = f"{self.table}({', '.join(self.fields)})"
        return f"a row breaks the {self.kind} rule of {place}; nothing was stored"


class DuplicateKeyError(ConstraintError):
    """A row with the same key exists already; nothing was stored."""

    def __init__(self, table: str, fields: tuple[str, ...], code: str = "") -> None:
        super().__init__("unique", table, fields, code)
        self.args = (table, fields, code)

    def __str__(self) -> str:
        return (
            f"{self.table} has a row with the same {', '.join(self.fields) or 'key'}; "
            "nothing was stored: update that row, or upsert"
        )


# -- actors -------------------------------------------------------------------


class ActorError(DataFlowError):
    """Base of what can happen to a message on its way through actors.

    Attributes:
        actor: Path of the actor.
    """

    def __init__(self, actor: str) -> None:
        super().__init__(actor)
        self.actor = actor


class MailboxFullError(ActorError):
    """The mailbox is full and its policy is to reject."""

    def __str__(self) -> str:
        return f"the mailbox of {self.actor} is full: send less, or wait with `tell`"


class MailboxClosedError(ActorError):
    """The actor has stopped and takes no more messages."""

    def __str__(self) -> str:
        return f"{self.actor} has stopped: start it again, or send elsewhere"


class MessageDroppedError(ActorError):
    """The message was dropped by the mailbox's overflow policy."""

    def __str__(self) -> str:
        return f"{self.actor} dropped the message, its mailbox was full: send it again"


class ActorRestartedError(ActorError):
    """The actor crashed with this message in hand; its outcome is unknown.

    Only messages that are idempotent, or have an idempotency key, are retried.
    """

    def __str__(self) -> str:
        return (
            f"{self.actor} crashed while it worked on the message: look whether it "
            "took effect, then send it again"
        )


class PoisonMessageError(ActorError):
    """The message crashed its actor each time and went to the dead letters."""

    def __init__(self, actor: str, attempts: int) -> None:
        super().__init__(actor)
        self.args = (actor, attempts)
        self.attempts = attempts

    def __str__(self) -> str:
        return (
            f"the message crashed {self.actor} {self.attempts} times and is now a dead "
            "letter: mend it before you send it again"
        )


class DeadlockError(ActorError):
    """An actor asked one that is waiting for it; the answer could never come.

    Attributes:
        chain: Paths of the actors, in the order they asked.
    """

    def __init__(self, actor: str, chain: tuple[str, ...]) -> None:
        super().__init__(actor)
        self.args = (actor, chain)
        self.chain = chain

    def __str__(self) -> str:
        return (
            f"{' -> '.join((*self.chain, self.actor))} would wait for itself: use "
            "`tell`, or split the actor"
        )


class DeadlineExceededError(ActorError, TimeoutError):
    """The deadline passed before the work was done."""

    def __str__(self) -> str:
        return f"the deadline passed before {self.actor} was done: allow more time"


class RestartLimitError(ActorError):
    """A supervisor gave up: too many restarts within its window.

    Attributes:
        restarts: How many restarts there were.
        window_s: Length of the window, in seconds.
    """

    def __init__(self, actor: str, restarts: int, window_s: float) -> None:
        super().__init__(actor)
        self.args = (actor, restarts, window_s)
        self.restarts = restarts
        self.window_s = window_s

    def __str__(self) -> str:
        return (
            f"{self.actor} was restarted {self.restarts} times within {self.window_s} s "
            "and crashed again: the cause is in __cause__"
        )


# -- protection ---------------------------------------------------------------


class WriteBlockedError(DataFlowError):
    """A protection layer refused a write before it reached the database.

    Attributes:
        model: Name of the protected model, or ``*`` for raw SQL.
        operation: What was refused.
        rule: Name of the rule that refused.
    """

    def __init__(self, model: str, operation: str, rule: str) -> None:
        super().__init__(model, operation, rule)
        self.model = model
        self.operation = operation
        self.rule = rule

    def __str__(self) -> str:
        return (
            f"{self.rule} refused {self.operation} on {self.model}: lift the rule, "
            "or only read"
        )


# -- workflows ----------------------------------------------------------------


class WorkflowBuildError(DataFlowError, ValueError):
    """A workflow cannot be built as written.

    Attributes:
        problem: What is wrong and what would be right.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class UnknownNodeError(WorkflowBuildError):
    """No node type of this name, or no node of this id.

    Attributes:
        name: What was asked for.
        known: The names there are.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no node {name!r}: {_hint(name, known)}")
        self.args = (name, known)
        self.name = name
        self.known = known


class EdgeError(WorkflowBuildError):
    """A connection that cannot carry what it should.

    Attributes:
        edge: The connection, as ``source.output -> target.input``.
    """

    def __init__(self, edge: str, problem: str) -> None:
        super().__init__(f"{edge}: {problem}")
        self.args = (edge, problem)
        self.edge = edge


class CycleError(WorkflowBuildError):
    """The connections form a cycle, so no node of it could ever start.

    Attributes:
        nodes: Ids of the nodes in the cycle, in order.
    """

    def __init__(self, nodes: tuple[str, ...]) -> None:
        path = " -> ".join((*nodes, nodes[0]))
        super().__init__(f"{path} is a cycle: remove one of its connections")
        self.args = (nodes,)
        self.nodes = nodes


class WorkflowError(DataFlowError):
    """A node failed, and with it the run; the node's error is the cause.

    Attributes:
        node_id: Id of the node in its workflow.
        run_id: Id of the run.
        reason: What the node's error says.
    """

    def __init__(self, node_id: str, run_id: str, reason: str) -> None:
        super().__init__(node_id, run_id, reason)
        self.node_id = node_id
        self.run_id = run_id
        self.reason = reason

    def __str__(self) -> str:
        return f"node {self.node_id!r} failed: {self.reason} (run {self.run_id})"


# -- life cycle ---------------------------------------------------------------


class ClosedError(DataFlowError):
    """The object was closed.

    Attributes:
        name: What was closed.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} is closed: make a new one"


class MissingExtraError(DataFlowError, ImportError):
    """An optional package is not installed.

    Attributes:
        feature: What needs it.
        extra: Name of the extra that installs it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(feature, extra)
        self.feature = feature
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"{self.feature} needs an optional package: "
            f"pip install 'dataflow-actors[{self.extra}]'"
        )
