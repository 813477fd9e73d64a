"""Lanes: queues that are shared fairly by those who fill them."""

from __future__ import annotations

from ._fair_queue import FairQueue
from ._token_bucket import TokenBucket

__all__ = ["FairQueue", "TokenBucket"]
