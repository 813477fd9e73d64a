"""A job: one contest, which may fail without stopping the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from figure import Figure

__all__ = ["Job"]

_LONGEST: int = 160
"""Characters of an error that the report shows."""


class Job(msgspec.Struct, frozen=True):
    """What measures the figures of one contest.

    Attributes:
        name: What ``--only`` calls it.
        operation: What a failure is reported under.
        place: Where it is done.
        measure: Does it.
    """

    name: str
    operation: str
    place: str
    measure: Callable[[], Sequence[Figure]]

    def run(self) -> Sequence[Figure]:
        """Measure; an error becomes a figure that says so."""
        try:
            return self.measure()
        except Exception as error:  # noqa: BLE001  # the others can still be measured
            text = f"{type(error).__name__}: {error}".splitlines()[0][:_LONGEST]
            return [Figure(operation=self.operation, place=self.place, error=text)]
