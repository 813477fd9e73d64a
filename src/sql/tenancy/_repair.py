"""Repairing the sequence of a generated key that all tenants share.

Where policies of PostgreSQL keep tenants apart, the greatest key there is may be one
that the tenant does not see. So the question, whose answer stays in the database, is
asked for all of them.
"""

from __future__ import annotations

from typing import Final

from .._dialect import POSTGRESQL
from .._qualified import qualified
from .._statement import Statement
from ..tables import Table

__all__ = ["TENANTS", "repair_of_all"]

TENANTS: Final = "dataflow.tenants"
"""The setting of whoever looks after all tenants: ``read`` or ``write``."""


def repair_of_all(base: Table) -> Statement | None:
    """Return what `Table.repair_key` does, with the keys of all tenants in sight."""
    model = base.model
    if base.repair_key() is None or model.generated_key is None:
        return None
    table, key = qualified(model, POSTGRESQL), model.generated_key
    sequence = f"pg_get_serial_sequence({_literal(table)}, {_literal(key)})::regclass"
    return Statement(
        "DO $dataflow$ "
        f"DECLARE before text := current_setting('{TENANTS}', true); BEGIN "
        f"PERFORM set_config('{TENANTS}', 'read', true); "
        "PERFORM setval(sequence, highest) FROM ("
        f"SELECT max({POSTGRESQL.quote(key)}) AS highest, {sequence} AS sequence "
        f"FROM {table}) AS it "
        "WHERE highest > COALESCE(pg_sequence_last_value(sequence), 0); "
        f"PERFORM set_config('{TENANTS}', COALESCE(before, ''), true); "
        "END $dataflow$"
    )


def _literal(text: str) -> str:
    """Return a name of the model as a value in SQL."""
    return "'" + text.replace("'", "''") + "'"
