"""Adopting: tables that others made become models."""

from __future__ import annotations

from ._adopt import Adopted, adopt
from ._described import described
from ._name import model_name
from ._relate import Related, relate
from ._source import model_source

__all__ = [
    "Adopted",
    "Related",
    "adopt",
    "described",
    "model_name",
    "model_source",
    "relate",
]
