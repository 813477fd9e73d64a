"""One rule, as somebody wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, cast

import msgspec
from msgspec.structs import force_setattr

from ...errors import PolicyError
from ...messages import Operation
from .._hint import hint
from ._rate import Rate, read_rate
from ._window import Window

__all__ = [
    "ACTIONS",
    "EFFECTS",
    "SEVERITY",
    "WRITES",
    "Effect",
    "Rule",
    "actions_of",
    "allow",
    "audit",
    "deny",
    "require_approval",
    "warn",
]

Effect = Literal["deny", "require_approval", "warn", "audit", "allow"]

EFFECTS: Final[tuple[Effect, ...]] = (
    "allow",
    "audit",
    "warn",
    "require_approval",
    "deny",
)
"""From the mildest to the most severe: of several that hold, the last decides."""

SEVERITY: Final = {effect: place for place, effect in enumerate(EFFECTS)}

WRITES: Final = frozenset({"create", "update", "delete", "schema"})
"""What changes something; ``schema`` is what raw SQL does beside rows."""

ACTIONS: Final = (*sorted(WRITES), "read", "unmask")

_OPERATIONS: Final = tuple(
    dict.fromkeys((*ACTIONS, "write", *(each.value for each in Operation)))
)

_READ: Final = frozenset({"read"})
_CREATE: Final = frozenset({"create"})
_ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "create": _CREATE,
    "bulk_create": _CREATE,
    "update": frozenset({"update"}),
    "bulk_update": frozenset({"update"}),
    "delete": frozenset({"delete"}),
    "bulk_delete": frozenset({"delete"}),
    "upsert": frozenset({"create", "update"}),
    "bulk_upsert": frozenset({"create", "update"}),
    # The row was there all the time; its time of deletion is set to None.
    "restore": frozenset({"update"}),
}


def actions_of(operation: Operation) -> frozenset[str]:
    """Return what an operation may do to rows; one not known here, anything."""
    if not operation.is_write:
        return _READ
    return _ACTIONS.get(operation.value, WRITES | _READ)


class Rule(msgspec.Struct, frozen=True, eq=False):
    """What becomes of some messages.

    Every rule that holds counts, in whatever order they are: the most severe effect
    decides. `deny`, `allow` and their like write one more briefly.

    Attributes:
        effect: ``deny``, ``require_approval``, ``warn``, ``audit`` or ``allow``.
        operations: Of which operations: by their names, such as ``bulk_delete``, or by
            what they do to rows: ``create`` (an upsert does that as well), ``read``,
            ``update``, ``delete``, ``schema``, all of these by ``write`` but ``read``;
            ``unmask`` is to see masked fields. Every one if empty.
        models: On which models, by name; every one if empty.
        fields: Only as far as a sender names these fields for writing, or reads them.
        connections: On which databases, by ``host:port/name`` or, of a file, its path;
            ``*`` stands for anything. Every one if empty.
        when: A filter over ``principal``, ``tenant``, ``context.name``, ``old.field``
            (a row as it is stored) and ``new.field`` (as it is to be stored).
        window: At which times.
        max_rows: Rows that one message may write; the rule holds when there are more,
            and an ``allow`` as long as there are no more.
        max_rows_per_run: The same for all messages of one run together.
        rate: Such as ``"100/minute"`` for each principal; the rule holds when there
            are more, and an ``allow`` as long as there are no more.
        reason: Why; told to whoever is refused.
        id: What logs and errors call it; made up if empty.

    Raises:
        PolicyError: A part of it is none; the nearest right one is told.
    """

    effect: Effect
    operations: Sequence[str] | str = ()
    models: Sequence[str] | str = ()
    fields: Sequence[str] | str = ()
    connections: Sequence[str] | str = ()
    when: Mapping[str, Any] | None = None
    window: Window | None = None
    max_rows: int | None = None
    max_rows_per_run: int | None = None
    rate: str | None = None
    reason: str | None = None
    id: str = ""
    measured: Rate | None = None

    def __post_init__(self) -> None:
        for name in ("operations", "models", "fields", "connections"):
            force_setattr(self, name, _names(self, name))
        if not self.id:
            force_setattr(self, "id", _made_up(self))
        _check(self)
        if self.rate is not None:
            force_setattr(self, "measured", read_rate(self.rate, self.id))

    @property
    def is_cap(self) -> bool:
        """Whether it holds by how many rows are written."""
        return self.max_rows is not None or self.max_rows_per_run is not None

    def covers(self, operation: str, action: str, *, is_asked: bool = True) -> bool:
        """Whether it is about an operation, as far as that does one thing to rows.

        Args:
            operation: What is asked.
            action: What that does.
            is_asked: Whether it is asked for that, not only replies with rows.
        """
        names = self.operations
        if action == "unmask":
            return action in names
        if not names:
            return True
        is_named = is_asked and operation in names and operation not in ACTIONS
        return is_named or action in names or ("write" in names and action in WRITES)


def _names(rule: Rule, name: str) -> tuple[str, ...]:
    given: object = getattr(rule, name)
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list | tuple | set | frozenset):
        names = tuple(cast("Sequence[object]", given))
        if all(isinstance(each, str) for each in names):
            return cast("tuple[str, ...]", names)
    raise PolicyError(rule.id or "rule", f"{name} is a list of names")


def _made_up(rule: Rule) -> str:
    parts = [str(rule.effect), *rule.operations, *rule.models, *rule.fields]
    return "-".join(parts)


def _check(rule: Rule) -> None:
    known = cast("tuple[str, ...]", EFFECTS)
    if rule.effect not in known:
        raise PolicyError(rule.id, _no("effect", rule.effect, known))
    for name in rule.operations:
        if name not in _OPERATIONS:
            raise PolicyError(rule.id, _no("operation", name, _OPERATIONS))
    for name in ("max_rows", "max_rows_per_run"):
        limit: object = getattr(rule, name)
        if limit is not None and (
            isinstance(limit, bool) or not isinstance(limit, int) or limit < 0
        ):
            raise PolicyError(rule.id, f"{name} is a whole number of at least 0")
    when: object = getattr(rule, "when")  # noqa: B009  # whatever was given
    if when is not None and not isinstance(when, Mapping):
        raise PolicyError(rule.id, "when is a filter, such as {'principal': 'ada'}")
    window: object = getattr(rule, "window")  # noqa: B009  # whatever was given
    if window is not None and not isinstance(window, Window):
        raise PolicyError(rule.id, "window is a Window")
    if rule.is_cap and rule.fields:
        problem = "a limit counts whole rows: leave fields out, or write another rule"
        raise PolicyError(rule.id, problem)


def _no(what: str, name: object, known: tuple[str, ...]) -> str:
    return f"there is no {what} {name!r}: {hint(str(name), known)}"


def _rule(
    effect: Effect,
    operations: Sequence[str] | str = (),
    /,
    **parts: Any,  # noqa: ANN401
) -> Rule:
    """Return a rule; see `Rule` for its parts."""
    return Rule(effect, operations, **parts)


deny = partial(_rule, "deny")
"""Return a rule that refuses; see `Rule` for its parts."""
require_approval = partial(_rule, "require_approval")
"""Return a rule that refuses what nobody approves; see `Rule` for its parts."""
warn = partial(_rule, "warn")
"""Return a rule that lets pass and logs a warning; see `Rule` for its parts."""
audit = partial(_rule, "audit")
"""Return a rule that lets pass and logs it; see `Rule` for its parts."""
allow = partial(_rule, "allow")
"""Return a rule that lets pass where nothing else would; see `Rule` for its parts."""
