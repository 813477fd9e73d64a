"""What the registry holds of a model, and the table it is in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from ...models import Model, declare

__all__ = ["REGISTRY", "Drift", "Entry"]


class DataflowModel:
    """The table of the registry: a row for each content that a model ever had."""

    __tablename__ = "dataflow_models"
    __dataflow__: Final = {
        "primary_key": ["model", "version"],
        "unique": [["model", "checksum"]],
    }

    model: str
    version: int
    checksum: str
    activation: int
    definition: dict[str, Any]
    registered_at: datetime
    activated_at: datetime


REGISTRY: Final[Model] = declare(DataflowModel)
"""The registry as a model; nobody but this room uses it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one model.

    Attributes:
        model: Name of the model.
        version: Counted from 1, in the order of first registration.
        checksum: Of the definition; two versions of a model never share it.
        activation: Greater than that of every other version if this is the current one.
        definition: What `define` said of the model.
        registered_at: When it was first registered.
        activated_at: When it last became the current one.
    """

    model: str
    version: int
    checksum: str
    activation: int
    definition: dict[str, Any]
    registered_at: datetime
    activated_at: datetime


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is not the same here and in the registry.

    Attributes:
        model: Name of the model.
        kind: ``changed``, ``unregistered`` (only here) or ``undeclared`` (only there).
        declared: Checksum of what is declared here, or None.
        registered: Checksum of the current version, or None.
        version: The current version, or None.
    """

    model: str
    kind: Literal["changed", "unregistered", "undeclared"]
    declared: str | None = None
    registered: str | None = None
    version: int | None = None
