"""Structured events, written through structlog.

An application that configured structlog receives the events in its own
pipeline. Otherwise they go to the standard `logging` tree under ``dataflow``,
where warnings show on stderr and everything else is off until asked for.

structlog is imported with the first event, not before: it is the dearest import
of the core (about 60 % of the time of `import dataflow` when it was eager).
"""

from __future__ import annotations

import logging
from typing import Any, final

__all__ = ["Log", "get_log"]


@final
class Log:
    """A named source of events; the fields are facts, never row values.

    Args:
        name: Which room speaks, such as ``dataflow.actors``.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **facts: object) -> None:
        """Report what only a developer of the application looks at."""
        self._write("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Report what an operator wants to find later."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Report what an operator should look at today."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Report what failed for good."""
        self._write("error", event, facts)

    def _write(self, level: str, event: str, facts: dict[str, object]) -> None:
        getattr(_logger(self._name), level)(event, **facts)


def get_log(name: str) -> Log:
    """Return the log of a room."""
    return Log(name)


def _logger(name: str) -> Any:
    import structlog  # noqa: PLC0415  # first event only, see above

    if structlog.is_configured():
        return structlog.get_logger(name)
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
