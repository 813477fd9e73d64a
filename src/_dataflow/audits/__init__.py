"""The audits of a database and of its tenants, for who looks after them."""

from __future__ import annotations

from ._audit import Audit
from ._key_rotation import KeyRotation
from ._places import AuditPlaces

__all__ = ["Audit", "AuditPlaces", "KeyRotation"]
