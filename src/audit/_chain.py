"""The chain: each leaf holds the hash of the one before, and of what it records.

The hash of a leaf is over all of its columns; with a key it is an HMAC, which nobody
makes who does not have it. What was recorded goes in as one hash over all events of the
transaction, in their order.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

import msgspec

from ..sql import POSTGRESQL, Dialect, Statement
from ._tables import EVENTS

__all__ = ["Leaf", "digest_of", "events_statement"]

_LINE = (
    "coalesce(model, '') || {us} || coalesce(op, '') || {us} || coalesce(key, '') || {us} "
    "|| coalesce(old, '') || {us} || coalesce(new, '') || {us} || n"
)


def events_statement(leaf: str, dialect: Dialect) -> Statement:
    """Select how many events a leaf has, and what `digest_of` makes a hash of.

    Values are JSON, which holds none of the characters between and behind them.
    """
    if dialect is POSTGRESQL:
        line = _LINE.format(us="chr(31)")
        text = (
            "SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(line, "
            f"chr(10)), ''), 'UTF8')), 'hex') FROM (SELECT {line} AS line FROM {EVENTS} "
            "WHERE leaf = $1 ORDER BY id) AS lines"
        )
    else:
        line = _LINE.format(us="char(31)")
        text = (
            f"SELECT count(*), coalesce(group_concat(line, char(10)), '') FROM (SELECT "
            f"{line} AS line FROM {EVENTS} WHERE leaf = ?1 ORDER BY id)"
        )
    return Statement(text, (leaf,), returns_rows=True)


def digest_of(told: str, dialect: Dialect) -> str:
    """Return the hash of the events, given what the database told of them."""
    return told if dialect is POSTGRESQL else sha256(told.encode()).hexdigest()


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """What is recorded of one transaction.

    Attributes:
        lane: Name of the model.
        seq: Its place in the chain of that, from 1.
        leaf: Its id, which the events have, too.
        at: When it was written, in UTC.
        facts: Who, why and by what, as JSON.
        n_events: How many events it has.
        events: Hash of these.
        previous: Hash of the leaf before; empty for the first.
    """

    lane: str
    seq: int
    leaf: str
    at: str
    facts: str
    n_events: int
    events: str
    previous: str

    def hash(self, key: bytes | None) -> str:
        """Return what the next leaf holds of this one."""
        told = msgspec.json.encode(self)
        if key is None:
            return sha256(told).hexdigest()
        return hmac.new(key, told, sha256).hexdigest()
