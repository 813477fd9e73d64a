"""A tenant as it is written down.

A state machine; `STEPS` is the table. Who finds a tenant being made, imported or deleted
finds it where somebody was stopped in the middle, or is at it: the same call goes on.

    (none) ── create ──> creating ──> active <── resume ── suspended
    (none) ── import ──> importing ─> active ── suspend ─> suspended
    any ───── delete ──> deleting ──> deleted ── create ─> creating
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["STEPS", "Act", "State", "Step", "Tenant"]


class State(StrEnum):
    """What a tenant is."""

    CREATING = "creating"
    IMPORTING = "importing"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"


class Act(StrEnum):
    """What is done to one."""

    CREATE = "create"
    CREATED = "created"
    IMPORT = "import"
    IMPORTED = "imported"
    SUSPEND = "suspend"
    RESUME = "resume"
    EXPORT = "export"
    DELETE = "delete"
    DELETED = "deleted"


class Step(msgspec.Struct, frozen=True):
    """One act.

    Attributes:
        to: What the tenant is then.
        whence: What it may be before.
        is_begin: Whether it may be new; it gets another epoch then.
        done: What it was, in the words of an error.
    """

    to: State
    whence: frozenset[State]
    is_begin: bool = False
    done: str = ""


def _step(to: State, *whence: State, is_begin: bool = False, done: str = "") -> Step:
    return Step(to, frozenset(whence), is_begin, done)


STEPS: Final[Mapping[Act, Step]] = {
    Act.CREATE: _step(
        *(State.CREATING, State.CREATING, State.DELETED), is_begin=True, done="created"
    ),
    Act.CREATED: _step(State.ACTIVE, State.CREATING, done="created"),
    Act.IMPORT: _step(
        *(State.IMPORTING, State.IMPORTING, State.DELETED),
        is_begin=True,
        done="imported",
    ),
    Act.IMPORTED: _step(State.ACTIVE, State.IMPORTING, done="imported"),
    Act.SUSPEND: _step(
        State.SUSPENDED, State.ACTIVE, State.SUSPENDED, done="suspended"
    ),
    Act.RESUME: _step(State.ACTIVE, State.SUSPENDED, State.ACTIVE, done="resumed"),
    Act.DELETE: _step(
        *(State.DELETING, State.ACTIVE, State.SUSPENDED, State.CREATING),
        *(State.IMPORTING, State.DELETING),
        done="deleted",
    ),
    Act.DELETED: _step(State.DELETED, State.DELETING, done="deleted"),
}


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it is written down.

    Attributes:
        name: Its name.
        state: ``creating``, ``importing``, ``active``, ``suspended``, ``deleting`` or
            ``deleted``.
        epoch: What tells it from an earlier one of its name.
        reason: Why it is what it is, as whoever did it said; or None.
        place: Where its rows are, without a password.
        created_at: When it was made, in UTC.
        updated_at: When something was done to it last, in UTC.
    """

    name: str
    state: State
    epoch: str
    reason: str | None
    place: str
    created_at: datetime
    updated_at: datetime
