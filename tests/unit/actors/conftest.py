"""Fixtures for the tests of actors."""

from __future__ import annotations

from functools import partialmethod

import pytest

from dataflow.telemetry import Log

Event = dict[str, object]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Collect the events that are reported during a test."""
    seen: list[Event] = []

    def note(_: Log, level: str, event: str, **facts: object) -> None:
        seen.append({"level": level, "event": event, **facts})

    for level in ("debug", "info", "warning", "error"):
        monkeypatch.setattr(Log, level, partialmethod(note, level))
    return seen
