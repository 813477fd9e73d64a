"""Tables whose rows belong to tenants: every statement is about one of them."""

from __future__ import annotations

from ._all_tenants import AllTenants
from ._repair import TENANTS
from ._table_of import table_of, whole_table
from ._tenant_table import TenantTable
from ._undecided import Undecided

__all__ = [
    "TENANTS",
    "AllTenants",
    "TenantTable",
    "Undecided",
    "table_of",
    "whole_table",
]
