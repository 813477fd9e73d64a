"""Graphs: what users build, checked and compiled; pure."""

from __future__ import annotations

from ._builder import WorkflowBuilder
from ._edge import Edge
from ._parameter import PARAMETER
from ._workflow import Step, Workflow

__all__ = ["PARAMETER", "Edge", "Step", "Workflow", "WorkflowBuilder"]
