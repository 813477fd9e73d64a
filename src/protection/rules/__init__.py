"""Rules as people write them, checked as far as they can be without models."""

from __future__ import annotations

from ._condition import ASKED, condition, is_about_rows, row_columns
from ._policy import PRESETS, Policy, read_policy, read_rules
from ._rate import Rate, RateMeter
from ._rule import (
    ACTIONS,
    EFFECTS,
    SEVERITY,
    WRITES,
    Effect,
    Rule,
    actions_of,
    allow,
    audit,
    deny,
    require_approval,
    warn,
)
from ._window import DAYS, Window

__all__ = [
    "ACTIONS",
    "ASKED",
    "DAYS",
    "EFFECTS",
    "PRESETS",
    "SEVERITY",
    "WRITES",
    "Effect",
    "Policy",
    "Rate",
    "RateMeter",
    "Rule",
    "Window",
    "actions_of",
    "allow",
    "audit",
    "condition",
    "deny",
    "is_about_rows",
    "read_policy",
    "read_rules",
    "require_approval",
    "row_columns",
    "warn",
]
