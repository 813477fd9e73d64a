"""Protection: layers on the receiving side of every mailbox, one file per layer."""

from __future__ import annotations

from ._approval import Approval, Approve
from ._explanation import Change, Explanation, NearMiss, Recorded
from ._override import Override
from ._protection import Lift, Protection
from ._read_only import ReadOnly
from ._write_levels import WriteLevels
from .rules import (
    Policy,
    Rule,
    Window,
    allow,
    audit,
    deny,
    require_approval,
    warn,
)

__all__ = [
    "Approval",
    "Approve",
    "Change",
    "Explanation",
    "Lift",
    "NearMiss",
    "Override",
    "Policy",
    "Protection",
    "ReadOnly",
    "Recorded",
    "Rule",
    "Window",
    "WriteLevels",
    "allow",
    "audit",
    "deny",
    "require_approval",
    "warn",
]
