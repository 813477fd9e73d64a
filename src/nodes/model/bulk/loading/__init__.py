"""Storing batches the quick way, on each database its own."""

from __future__ import annotations

from ._batch import Batch
from ._loader import FEW, Loader
from ._loaders import loader_of

__all__ = ["FEW", "Batch", "Loader", "loader_of"]
