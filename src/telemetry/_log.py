"""Structured events, written through structlog.

An application that configured structlog receives the events in its own
pipeline. Otherwise they go to the standard `logging` tree under ``dataflow``,
where warnings show on stderr and everything else is off until asked for.

structlog is imported with the first event that somebody wants, not before: it is
the dearest import of the core (about 60 % of the time of `import dataflow` when it
was eager).
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, Literal, final

__all__ = ["Level", "Log", "get_log"]

Level = Literal["debug", "info", "warning", "error"]
"""How much an event matters."""

_LEVELS: Final[dict[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@final
class Log:
    """A named source of events; the fields are facts, never row values.

    Args:
        name: Which room speaks, such as ``dataflow.actors``.
    """

    __slots__ = ("_name", "_standard")

    def __init__(self, name: str) -> None:
        self._name = name
        self._standard = logging.getLogger(name)

    def is_enabled(self, level: Level) -> bool:
        """Whether an event of *level* may reach anybody.

        It costs a fraction of a microsecond: ask before facts are gathered on a
        fast path. A configured structlog may drop the event all the same.
        """
        structlog = sys.modules.get("structlog")
        if structlog is not None and structlog.is_configured():
            return True
        return self._standard.isEnabledFor(_LEVELS[level])

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

    def _write(self, level: Level, event: str, facts: dict[str, object]) -> None:
        if self.is_enabled(level):
            getattr(_logger(self._name), level)(event, **facts)


def get_log(name: str) -> Log:
    """Return the log of a room."""
    return Log(name)


def _logger(name: str) -> Any:  # noqa: ANN401  # structlog is imported late
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
