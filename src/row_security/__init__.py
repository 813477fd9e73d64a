"""Row security: policies of PostgreSQL as a second wall between tenants."""

from __future__ import annotations

from ._install import check_off, ensure_policies
from ._policies import policy_texts
from ._reach import reach_of_tenant
from ._row_security import RowSecurity, options_for_all_rows

__all__ = [
    "RowSecurity",
    "check_off",
    "ensure_policies",
    "options_for_all_rows",
    "policy_texts",
    "reach_of_tenant",
]
