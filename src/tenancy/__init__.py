"""Tenancy: who tenants are, where each of them is, and who is kept away."""

from __future__ import annotations

from ._database_places import Connect, DatabasePlaces, TenantUrl
from ._gate import TenantGate
from ._name import check_name, check_place_name
from ._raw_sql import RawSqlTenancy
from ._register import MODEL, Register
from ._schema_places import SchemaPlaces
from ._states import FRESH_S, TenantStates
from ._tenant import Act, State, Tenant

__all__ = [
    "FRESH_S",
    "MODEL",
    "Act",
    "Connect",
    "DatabasePlaces",
    "RawSqlTenancy",
    "Register",
    "SchemaPlaces",
    "State",
    "Tenant",
    "TenantGate",
    "TenantStates",
    "TenantUrl",
    "check_name",
    "check_place_name",
]
