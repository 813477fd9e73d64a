"""Dataflow: an actor-based concurrent runtime for database workflows."""

from __future__ import annotations

from . import errors
from ._dataflow import DataFlow
from ._records import Records
from .models import PII, Digits, References, field
from .nodes import TenantLimits
from .sql import Column, Condition
from .workflow import (
    PARAMETER,
    AsyncLocalRuntime,
    LocalRuntime,
    Workflow,
    WorkflowBuilder,
)

__all__ = [
    "PARAMETER",
    "PII",
    "AsyncLocalRuntime",
    "Column",
    "Condition",
    "DataFlow",
    "Digits",
    "LocalRuntime",
    "Records",
    "References",
    "TenantLimits",
    "Workflow",
    "WorkflowBuilder",
    "errors",
    "field",
]
