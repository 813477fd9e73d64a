"""Whose rows a transaction reaches: those of one tenant, or of all of them.

Rules of this file:

1. It is a setting of the transaction, never of the session: however the transaction
   ends, the connection is nobody's again.
2. The name of a tenant is a parameter, or stands in the text by the digits of its bytes:
   the text of a user never becomes SQL.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from ..messages import Envelope
from ..sql import TENANTS, Statement

__all__ = ["READS_ALL", "TENANT", "WRITES_ALL", "Reach", "reach_of", "reach_of_tenant"]

TENANT: Final = "dataflow.tenant"
"""The setting with the name of the tenant."""

_KEPT: Final = 1024


class Reach(msgspec.Struct, frozen=True):
    """What the policies go by.

    Attributes:
        setting: `TENANT` or `TENANTS`.
        value: What it is set to.
    """

    setting: str
    value: str

    @property
    def opening(self) -> str:
        """What sets it, to be sent with the ``BEGIN`` of its transaction."""
        # A surrogate is no text; the database says so.
        digits = self.value.encode("utf-8", "surrogatepass").hex()
        value = f"convert_from(decode('{digits}', 'hex'), 'UTF8')"
        return f"SELECT set_config('{self.setting}', {value}, true)"

    @property
    def statement(self) -> Statement:
        """What sets it inside a transaction."""
        text = f"SELECT set_config('{self.setting}', $1, true)"
        return Statement(text, (self.value,), returns_rows=True)


READS_ALL: Final = Reach(TENANTS, "read")
WRITES_ALL: Final = Reach(TENANTS, "write")


@lru_cache(_KEPT)
def _of(tenant: str) -> Reach:
    return Reach(TENANT, tenant)


def reach_of_tenant(tenant: str) -> Reach:
    """Return what reaches the rows of one tenant."""
    return _of(tenant)


def reach_of(envelope: Envelope) -> Reach:
    """Return whose rows a message reaches, once that was settled."""
    if envelope.tenant is not None:
        return _of(envelope.tenant)
    # It was settled that who writes may; nobody else gets more than reading.
    return WRITES_ALL if envelope.message.operation.is_write else READS_ALL
