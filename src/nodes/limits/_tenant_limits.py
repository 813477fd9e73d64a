"""What a tenant may have of what all tenants share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

__all__ = ["TenantLimits"]


class TenantLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may have of what all tenants share: None means as much as it wants.

    They hold for each event loop that a `DataFlow` is entered on, except for
    *per_second*, which all event loops of a process share. A call is a node that is run
    or a direct call, however many rows it is about. Calls that a handler makes while it
    works on one are not counted again.

    Attributes:
        weight: How much of the turns the tenant gets where others wait as well: twice
            that of another is twice the calls. More than 0.
        waiting: Calls that may wait to be begun; one more is refused.
        running: Calls that nodes may have at once, at work or next in line.
        per_second: Calls in a second, on average.
        burst: Calls that may come at once before *per_second* holds them up; as many as
            in one second if None.
        exceeding: Whether what goes beyond *running* or *per_second* waits, in order,
            or is refused.
        overrides: What some tenants have instead of this: by name, or a function that
            returns it, or None, for a name. It is asked once for each tenant, and must
            be quick: calls wait for it.

    Raises:
        ValueError: A number makes no sense; it is told.
    """

    weight: float = 1.0
    waiting: int | None = None
    running: int | None = None
    per_second: float | None = None
    burst: int | None = None
    exceeding: Literal["wait", "refuse"] = "wait"
    overrides: Mapping[str, TenantLimits] | Callable[[str], TenantLimits | None] = {}

    def __post_init__(self) -> None:
        for name in ("waiting", "running", "burst"):
            given: Any = getattr(self, name)
            if given is not None and not (_is_number(given, int) and given >= 1):
                msg = f"{name} is a whole number of calls, at least 1, not {given!r}"
                raise ValueError(msg)
        for name in ("weight", "per_second"):
            given = getattr(self, name)
            if given is not None and not (_is_number(given, int | float) and given > 0):
                msg = f"{name} is a number more than 0, not {given!r}"
                raise ValueError(msg)
        if self.exceeding not in ("wait", "refuse"):
            msg = f"exceeding is 'wait' or 'refuse', not {self.exceeding!r}"
            raise ValueError(msg)
        if self.burst is not None and self.per_second is None:
            msg = "burst says how far per_second may be exceeded: give that as well"
            raise ValueError(msg)

    @property
    def is_limiting(self) -> bool:
        """Whether a call may have to wait, or be refused."""
        return (self.waiting, self.running, self.per_second) != (None, None, None)

    @property
    def bucket_size(self) -> float:
        """How many calls may come at once before *per_second* holds them up."""
        return max(1.0, float(self.burst or self.per_second or 1))


def _is_number(given: object, kind: Any) -> bool:  # noqa: ANN401  # a class or a union
    is_right = isinstance(given, kind) and not isinstance(given, bool)
    return is_right and math.isfinite(given)  # type: ignore[arg-type]
