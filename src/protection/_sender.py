"""Who sent a message, as rules see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, cast, final

import msgspec

from ..messages import Envelope, Request
from ..sql import Budget
from ._override import Override
from .rules import Rate, RateMeter, Rule

__all__ = ["Sender", "Surroundings"]

_DIGEST: Final = 8
"""Bytes of a fingerprint."""


class Surroundings(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What rules look at beside a message.

    Attributes:
        now: Tells the time, with a time zone.
        meter: Counts how often things happen.
        secret: Keys fingerprints, so that nobody finds values by trying some.
    """

    now: Callable[[], datetime]
    meter: RateMeter
    secret: bytes


@final
class Sender:
    """Whoever sent one message; implements `Asker`.

    Args:
        envelope: What they sent.
        around: What rules look at beside it.
        overrides: Leave that they have.
        note: Told that a rule held which only wants that noted.
        is_real: Whether the message is to be carried out, not only asked about.
    """

    def __init__(
        self,
        envelope: Envelope,
        around: Surroundings,
        overrides: tuple[Override, ...],
        note: Callable[[Rule], None],
        *,
        is_real: bool = True,
    ) -> None:
        scope = envelope.scope
        self.known: Mapping[str, Any] = {
            "principal": envelope.principal,
            "tenant": envelope.tenant,
            "context": {} if scope is None else scope.context,
        }
        self.overrides = overrides
        self.approved: frozenset[str] = frozenset()
        self._envelope = envelope
        self._around = around
        self._note = note
        self._is_real = is_real
        self._now: datetime | None = None
        self._rates: dict[str, bool] = {}
        self._budgets: dict[str, Budget] = {}

    @property
    def now(self) -> datetime:
        """The time at which the message is judged, the same for all rules."""
        if self._now is None:
            self._now = self._around.now()
        return self._now

    @property
    def fingerprint(self) -> str:
        """What tells the message from others, and holds none of its values."""
        message: Request = self._envelope.message
        said = [message.node, message.operation.value, message.parameters]
        text = msgspec.json.encode(said, enc_hook=_described, order="deterministic")
        secret = self._around.secret
        return blake2b(text, digest_size=_DIGEST, key=secret).hexdigest()

    def held(self, applied: object) -> None:
        """Leave it to be found out."""
        del applied

    def is_waived(self, rule: str) -> bool:
        """Whether the sender has leave to pass by a rule."""
        return any(rule in each.rules for each in self.overrides)

    def is_approved(self, rule: str) -> bool:
        """Whether somebody approved of the message, as a rule wants it."""
        return rule in self.approved

    def is_over_rate(self, rule: Rule) -> bool:
        """Whether the message is one too many for the rate of a rule."""
        known = self._rates.get(rule.id)
        if known is None:
            who = (rule.id, self._envelope.principal)
            rate = cast("Rate", rule.measured)
            known = self._around.meter.is_over(who, rate, note=self._is_real)
            self._rates[rule.id] = known
        return known

    def budget(self, rule: Rule) -> Budget:
        """Return what the run has used of the rows of a rule."""
        scope = self._envelope.scope
        pins = None if scope is None else scope.pins
        if pins is None:
            return self._budgets.setdefault(rule.id, Budget())
        budget: Budget = pins.setdefault((self._around, rule.id), Budget())
        return budget

    def note(self, rule: Rule) -> None:
        """Note that a rule held which only wants that."""
        self._note(rule)


def _described(value: object) -> str:
    """Stand for a value that JSON does not know; iterators are told by their kind."""
    text = repr(value)
    is_by_place = " at 0x" in text
    return type(value).__qualname__ if is_by_place else text
