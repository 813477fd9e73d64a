"""A policy: rules, and what becomes of messages that none of them is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, cast

import msgspec

from ...errors import PolicyError
from .._hint import hint
from ._rule import Rule
from ._window import Window

__all__ = ["PRESETS", "Policy", "read_policy", "read_rules"]


class Policy(msgspec.Struct, frozen=True, eq=False):
    """Rules, and what becomes of messages that none of them is about.

    Attributes:
        rules: In any order.
        default: ``allow``, or ``deny`` for whatever no rule lets pass.

    Raises:
        PolicyError: Two rules have one id, or the default is none.
    """

    rules: tuple[Rule, ...] = ()
    default: Literal["allow", "deny"] = "allow"

    def __post_init__(self) -> None:
        if self.default not in ("allow", "deny"):
            raise PolicyError("default", "the default is 'allow' or 'deny'")
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                problem = "there are two rules of this id: give each its own"
                raise PolicyError(rule.id, problem)
            seen.add(rule.id)

    def with_rules(self, rules: Iterable[Rule]) -> Policy:
        """Return it with more rules.

        Raises:
            PolicyError: One has the id of another.
        """
        return Policy((*self.rules, *rules), self.default)

    def without(self, ids: Iterable[str]) -> Policy:
        """Return it without the rules of these ids."""
        gone = frozenset(ids)
        rules = tuple(rule for rule in self.rules if rule.id not in gone)
        return Policy(rules, self.default)

    # -- presets ----------------------------------------------------------------

    @classmethod
    def development(cls) -> Policy:
        """Return the policy that lets everything pass and warns of schema changes."""
        return cls((Rule("warn", ("schema",), id="schema-by-hand"),))

    @classmethod
    def production(cls, *rules: Rule) -> Policy:
        """Return the policy that lets pass what *rules* allow, and reading.

        A write that no rule allows is refused, and so is a change of the schema.
        """
        reading = Rule("allow", ("read",), id="reading")
        return cls((reading, *rules), "deny")

    @classmethod
    def read_only(cls, reason: str | None = None) -> Policy:
        """Return the policy that lets nobody write."""
        return cls((Rule("deny", ("write",), id="read-only", reason=reason),))

    @classmethod
    def maintenance(cls, *principals: str, reason: str | None = None) -> Policy:
        """Return the policy that lets only *principals* write, and others read."""
        others = {"principal": {"$nin": list(principals)}}
        rule = Rule(
            "deny",
            ("write",),
            when=others,
            id="maintenance",
            reason=reason or "maintenance is under way",
        )
        return cls((rule,))

    @classmethod
    def business_hours(
        cls,
        start: str = "09:00",
        end: str = "17:00",
        *,
        zone: str = "UTC",
        days: Sequence[str] = ("mon", "tue", "wed", "thu", "fri"),
    ) -> Policy:
        """Return the policy that lets write within these hours, and read always."""
        closed = Window(zone=zone, days=days, start=start, end=end, is_outside=True)
        reason = f"writing is for {start} to {end}, {zone}"
        rule = Rule(
            "deny", ("write",), window=closed, id="business-hours", reason=reason
        )
        return cls((rule,))


PRESETS: Final = {
    "development": Policy.development,
    "production": Policy.production,
    "read_only": Policy.read_only,
    "maintenance": Policy.maintenance,
    "business_hours": Policy.business_hours,
}
"""Policies by name, as they are with nothing said."""


def read_policy(given: object) -> Policy:
    """Return the policy that a user means.

    Args:
        given: A policy, the name of a preset, a rule, or a list of rules; None for no
            rules at all.

    Raises:
        PolicyError: It is none of these.
    """
    if given is None:
        return Policy()
    if isinstance(given, Policy):
        return given
    if isinstance(given, str):
        make = PRESETS.get(given)
        if make is None:
            problem = f"there is no preset {given!r}: {hint(given, tuple(PRESETS))}"
            raise PolicyError("protection", problem)
        return make()
    return Policy(read_rules(given))


def read_rules(given: object) -> tuple[Rule, ...]:
    """Return the rules that a user means: one, or a list of them.

    Raises:
        PolicyError: It is neither.
    """
    if isinstance(given, Rule):
        return (given,)
    kind = type(given).__name__
    if isinstance(given, list | tuple):
        rules = tuple(cast("Sequence[object]", given))
        if all(isinstance(each, Rule) for each in rules):
            return cast("tuple[Rule, ...]", rules)
    problem = (
        f"it is a policy, a preset ({', '.join(PRESETS)}), a rule or a list of rules, "
        f"not {kind}"
    )
    raise PolicyError("protection", problem)
