"""Migrations: what a database lacks of its models, and how it gets it safely."""

from __future__ import annotations

from ._planner import make_plan
from ._risk import Risk
from ._step import Plan, Proof, Step, Work
from .planning import Target, target_of

__all__ = ["Plan", "Proof", "Risk", "Step", "Target", "Work", "make_plan", "target_of"]
