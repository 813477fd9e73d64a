"""What this room is given from above: how to find nodes, and what runs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import final

from ..errors import UnknownNodeError
from ..nodes import Host, Node

__all__ = ["HostFactory", "Resolve", "plug_in", "plugs"]

Resolve = Callable[[str], Node]
"""Finds a node by the name of its type, or raises `UnknownNodeError`."""

HostFactory = Callable[[], AbstractAsyncContextManager[Host]]
"""Makes a host that runs while it is entered."""


def _no_node(name: str) -> Node:
    raise UnknownNodeError(name, ())


def _no_host() -> AbstractAsyncContextManager[Host]:
    msg = "nothing can run workflows yet: plug_in(host=...) was not called"
    raise RuntimeError(msg)


@final
class _Plugs:
    """One per process; read when a workflow is written or first run."""

    def __init__(self) -> None:
        self.resolve: Resolve = _no_node
        self.host: HostFactory = _no_host


plugs = _Plugs()


def plug_in(*, resolve: Resolve | None = None, host: HostFactory | None = None) -> None:
    """Replace what is given, and leave the rest as it is.

    Args:
        resolve: Finds nodes for every builder that has no resolver of its own.
        host: Makes the host of the background thread, entered there once.
    """
    plugs.resolve = resolve or plugs.resolve
    plugs.host = host or plugs.host
