"""Migrations: what a database lacks of its models, and how it gets it safely."""

from __future__ import annotations

from ._application import OnStep
from ._entry import Entry, EntryStep
from ._migrator import Migrator
from ._permission import Permission
from ._planner import make_plan
from ._risk import Risk
from ._step import Plan, Proof, Step, Work
from .planning import Facts, TableFacts, Target, target_of
from .writing import as_markdown

__all__ = [
    "Entry",
    "EntryStep",
    "Facts",
    "Migrator",
    "OnStep",
    "Permission",
    "Plan",
    "Proof",
    "Risk",
    "Step",
    "TableFacts",
    "Target",
    "Work",
    "as_markdown",
    "make_plan",
    "target_of",
]
