"""Workflows: graphs of nodes, checked when built, scheduled without tasks."""

from __future__ import annotations

from ._background import call_background, call_background_sync, close_background
from ._current import current_host, hosting
from ._plugs import HostFactory, Resolve, plug_in
from ._runtime import AsyncLocalRuntime, LocalRuntime
from .graph import PARAMETER, Edge, Step, Workflow, WorkflowBuilder
from .running import Given, run

__all__ = [
    "PARAMETER",
    "AsyncLocalRuntime",
    "Edge",
    "Given",
    "HostFactory",
    "LocalRuntime",
    "Resolve",
    "Step",
    "Workflow",
    "WorkflowBuilder",
    "call_background",
    "call_background_sync",
    "close_background",
    "current_host",
    "hosting",
    "plug_in",
    "run",
]
