"""`dataflow tenant`: the life of tenants, from the command line."""

from __future__ import annotations

from ._command import tenant

__all__ = ["tenant"]
