"""What is in the database already: looked at, made into models, registered."""

from __future__ import annotations

from ._discovery import Discovery
from ._existing import ExistingDatabase
from ._registry import Registry

__all__ = ["Discovery", "ExistingDatabase", "Registry"]
