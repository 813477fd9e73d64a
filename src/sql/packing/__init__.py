"""Packing: rows are checked and put into the database's own form in one pass."""

from __future__ import annotations

from ._load import Load, Loaded
from ._packer import FEED_STRIDE, Check, Checked, Packed, Packer, Packing, packer_of
from ._postgresql import Copying, Standing
from ._sqlite import Running

__all__ = [
    "FEED_STRIDE",
    "Check",
    "Checked",
    "Copying",
    "Load",
    "Loaded",
    "Packed",
    "Packer",
    "Packing",
    "Running",
    "Standing",
    "packer_of",
]
