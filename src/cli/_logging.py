"""Where the events of a command go: to stderr, for a reader or for a machine."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import structlog

__all__ = ["logging_to_stderr"]


@contextmanager
def logging_to_stderr(*, as_json: bool, is_quiet: bool) -> Generator[None]:
    """Write events to stderr for the length of a block.

    What was configured before is back after it.

    Args:
        as_json: One JSON object per line, instead of a line for a reader; and
            also what only a machine wants to know.
        is_quiet: Warnings and errors only.
    """
    before = structlog.get_config() if structlog.is_configured() else None
    level = logging.DEBUG if as_json else logging.INFO
    level = logging.WARNING if is_quiet else level
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(as_json=as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_stderr,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
        if before is not None:
            structlog.configure(**before)


def _stderr(*_: object) -> structlog.PrintLogger:
    """Return a logger on what is stderr now: a progress bar puts itself before it."""
    return structlog.PrintLogger(sys.stderr)


def _renderers(*, as_json: bool) -> list[Any]:
    # Both would show local variables, which are rows.
    without_values = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    plainly = structlog.dev.plain_traceback
    if as_json:
        return [
            structlog.processors.ExceptionRenderer(without_values),
            structlog.processors.JSONRenderer(),
        ]
    # Source: https://no-color.org
    is_coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return [
        structlog.dev.ConsoleRenderer(colors=is_coloured, exception_formatter=plainly)
    ]
