"""Which host runs workflows on the event loop that is running."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from anyio.lowlevel import RunVar

from ..nodes import Host

__all__ = ["current_host", "hosting"]

# By event loop, not by context: tasks of a web server do not descend from the one
# that entered the host, and a context travels to the loops of other threads.
_hosts: Final = RunVar[tuple[Host, ...]]("dataflow_hosts", ())


@contextmanager
def hosting(host: Host) -> Generator[None]:
    """Let *host* run the workflows of this event loop while inside.

    The host entered last serves; it need not be left first.
    """
    _hosts.set((*_hosts.get(), host))
    try:
        yield
    finally:
        _hosts.set(tuple(each for each in _hosts.get() if each is not host))


def current_host() -> Host | None:
    """Return the host entered last on this event loop, or None."""
    hosts = _hosts.get()
    return hosts[-1] if hosts else None
