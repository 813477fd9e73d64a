"""What was decided about a message, and who decided it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import force_setattr, replace

from ...errors import (
    ApprovalRequiredError,
    BlockedError,
    ReadBlockedError,
    RowLimitError,
    WriteBlockedError,
)
from ...sql import Budget, Terms
from ..rules import SEVERITY, WRITES, Effect, Rule

__all__ = [
    "DEFAULT",
    "Asker",
    "Decision",
    "allowed_instead",
    "approval_required",
    "blocked",
    "over_limit",
]

DEFAULT: Final = Rule("deny", id="default", reason="no rule allows it")
"""What refuses where nothing is allowed that no rule allows."""


class Decision(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What becomes of a message.

    Attributes:
        effect: The most severe of all rules that hold whatever the rows.
        rules: Those of that effect.
        notes: Rules that only want it noted.
        conditional: Rules that hold for some rows, or some fields, only.
        waived: Rules that would hold, had nobody leave to pass by them.
        terms: Under what terms it may be carried out; None if under none.
        is_silent: Whether it passes, and nobody is to be told or asked.
    """

    effect: Effect = "allow"
    rules: tuple[Rule, ...] = ()
    notes: tuple[Rule, ...] = ()
    conditional: tuple[Rule, ...] = ()
    waived: tuple[Rule, ...] = ()
    terms: Terms | None = None
    is_silent: bool = False

    def __post_init__(self) -> None:
        is_allowed = self.effect == "allow" and not self.notes
        is_asked = any(each.effect == "require_approval" for each in self.conditional)
        force_setattr(self, "is_silent", is_allowed and not is_asked)

    def beside(self, other: Decision) -> Decision:
        """Return it with what was decided about something that it brings about.

        Its own terms stay: those of the other could not be kept to.
        """
        is_graver = SEVERITY[other.effect] > SEVERITY[self.effect]
        graver = other if is_graver else self
        return replace(
            self,
            effect=graver.effect,
            rules=graver.rules,
            notes=(*self.notes, *other.notes),
            waived=(*self.waived, *other.waived),
        )


class Asker(Protocol):
    """Whoever sent a message, and when."""

    @property
    def known(self) -> Mapping[str, Any]:
        """What conditions may speak of: principal, tenant, context."""
        ...

    @property
    def now(self) -> datetime:
        """The time at which the message is judged."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells the message from others."""
        ...

    def held(self, applied: Any) -> bool | None:  # noqa: ANN401  # `Applied`, behind this
        """Whether a rule holds, if that is known; None if it has to be found out."""
        ...

    def is_waived(self, rule: str) -> bool:
        """Whether the asker has leave to pass by a rule."""
        ...

    def is_approved(self, rule: str) -> bool:
        """Whether somebody approved of the message, as a rule wants it."""
        ...

    def is_over_rate(self, rule: Rule) -> bool:
        """Whether the message is one too many for the rate of a rule."""
        ...

    def budget(self, rule: Rule) -> Budget:
        """Return what the run has used of the rows of a rule."""
        ...

    def note(self, rule: Rule) -> None:
        """Note that a rule held which only wants that."""
        ...


def allowed_instead(rule: Rule, operation: str, *, is_write: bool) -> str:
    """Say what a rule would let pass; never any data."""
    if rule is DEFAULT:
        return f"have a rule that allows {operation}"
    if rule.fields:
        return f"leave out {', '.join(rule.fields)}"
    ways: list[str] = []
    if operation == "sql" and rule.when is not None:
        return "see that its condition does not hold, or use a node if it is about rows"
    if rule.window is not None:
        ways.append("come at another time")
    if rule.rate is not None:
        ways.append(f"stay within {rule.rate}")
    if rule.when is not None:
        ways.append("see that its condition does not hold")
    if ways:
        return " or ".join(ways)
    return "lift the rule, or only read" if is_write else "lift the rule"


def blocked(rule: Rule, model: str, operation: str, action: str) -> BlockedError:
    """Return the refusal by a rule."""
    is_write = action in WRITES
    kind = WriteBlockedError if is_write else ReadBlockedError
    instead = allowed_instead(rule, operation, is_write=is_write)
    return kind(model, operation, rule.id, rule.reason, instead)


def approval_required(
    rule: Rule, model: str, operation: str, fingerprint: str
) -> BlockedError:
    """Return the refusal of what nobody has approved."""
    instead = "have it approved, and send it again"
    return ApprovalRequiredError(
        model, operation, rule.id, rule.reason, instead, fingerprint
    )


def over_limit(
    rule: Rule, model: str, operation: str, limit: int, count: int
) -> BlockedError:
    """Return the refusal of what came to too many rows."""
    instead = f"write at most {limit} rows"
    return RowLimitError(model, operation, rule.id, rule.reason, instead, limit, count)
