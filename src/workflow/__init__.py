"""Workflows: graphs of nodes, checked when built, scheduled without tasks."""

from __future__ import annotations

from ._background import call_background, call_background_sync, close_background
from ._builder import WorkflowBuilder
from ._current import current_host, hosting
from ._edge import Edge
from ._given import Given
from ._parameter import PARAMETER
from ._plugs import HostFactory, Resolve, plug_in
from ._run import run
from ._runtime import AsyncLocalRuntime, LocalRuntime
from ._workflow import Step, Workflow

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
