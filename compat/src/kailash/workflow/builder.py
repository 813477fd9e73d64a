"""Stands for `kailash.workflow.builder`."""

from __future__ import annotations

from dataflow import WorkflowBuilder

__all__ = ["WorkflowBuilder"]
