"""Terms: what a message may see and change, kept to by the statements made for it."""

from __future__ import annotations

from ._guarded import Guarded, Probe, RacedError, clear
from ._guarded_table import GuardedTable, guarded
from ._ledger import Ledger
from ._partial import UndecidedError, decide, names_in
from ._related import select_related
from ._terms import NEW, OLD, Budget, Cap, Guard, Leave, Mask, Terms

__all__ = [
    "NEW",
    "OLD",
    "Budget",
    "Cap",
    "Guard",
    "Guarded",
    "GuardedTable",
    "Leave",
    "Ledger",
    "Mask",
    "Probe",
    "RacedError",
    "Terms",
    "UndecidedError",
    "clear",
    "decide",
    "guarded",
    "names_in",
    "select_related",
]
