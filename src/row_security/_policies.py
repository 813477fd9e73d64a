"""The policies of the table of a model with tenants.

One lets every row pass, and four that restrict hold each command to rows within reach.
So a policy that somebody adds narrows it further, and never widens it. Names hold a
digest of what the policies say, so that those of another form are told from these.

Text is made of the model's own names, quoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec

from ..models import Model
from ..sql import POSTGRESQL, TENANTS
from ._reach import TENANT

__all__ = ["PREFIX", "Policy", "creation", "policies", "policy_texts", "removal"]

PREFIX: Final = "dataflow_"

_FORM: Final = 1
"""Grows when policies are written in another way."""

_DIGEST: Final = 12

_COMMANDS: Final = {"select": "r", "insert": "a", "update": "w", "delete": "d"}
"""Source: PostgreSQL, `pg_policy.polcmd`."""


class Policy(msgspec.Struct, frozen=True):
    """One policy.

    Attributes:
        name: Its name, not quoted.
        command: For which command, as the catalogue says it; ``*`` for all.
        is_permissive: Whether it lets rows pass that no other one does.
        text: What stands behind the name of the table.
    """

    name: str
    command: str
    is_permissive: bool
    text: str


def policies(model: Model) -> tuple[Policy, ...]:
    """Return the policies of the table of *model*; none if it has no tenants."""
    if model.tenant_field is None:
        return ()
    column = model.field(model.tenant_field).column
    digest = sha256(repr((_FORM, column)).encode()).hexdigest()[:_DIGEST]
    every = Policy(
        f"{PREFIX}rows_{digest}",
        "*",
        is_permissive=True,
        text="AS PERMISSIVE FOR ALL USING (true) WITH CHECK (true)",
    )
    made = [every]
    for command, letter in _COMMANDS.items():
        reach = _reach(column, is_write=command != "select")
        using = f" USING ({reach})" if command != "insert" else ""
        check = f" WITH CHECK ({reach})" if command in ("insert", "update") else ""
        text = f"AS RESTRICTIVE FOR {command.upper()}{using}{check}"
        name = f"{PREFIX}{command}_{digest}"
        made.append(Policy(name, letter, is_permissive=False, text=text))
    return tuple(made)


def _reach(column: str, *, is_write: bool) -> str:
    """Return the condition of a row within reach.

    A setting that a transaction of before had is empty, not absent. Each is asked for
    once in a statement, by a query of its own, and not once for each row.
    """
    own = f"(SELECT NULLIF(current_setting('{TENANT}', true), ''))"
    all_ = f"(SELECT current_setting('{TENANTS}', true))"
    is_all = f"{all_} = 'write'" if is_write else f"{all_} IN ('read', 'write')"
    return f"{POSTGRESQL.quote(column)} = {own} OR {is_all}"


def creation(model: Model) -> list[str]:
    """Return the statements that raise the wall around the table of *model*."""
    table = POSTGRESQL.quote(model.table)
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(
            f"CREATE POLICY {POSTGRESQL.quote(each.name)} ON {table} {each.text}"
            for each in policies(model)
        ),
    ]


def removal(model: Model, names: Iterable[str]) -> list[str]:
    """Return the statements that drop policies of *model*, if they are there."""
    table = POSTGRESQL.quote(model.table)
    return [
        f"DROP POLICY IF EXISTS {POSTGRESQL.quote(name)} ON {table}" for name in names
    ]


def policy_texts(models: Iterable[Model], role: str | None = None) -> list[str]:
    """Return what the owner of the tables runs: any number of times, all at once.

    Args:
        models: Those without tenants need nothing but the leave of *role*.
        role: A role to make for the application, or None.
    """
    texts: list[str] = []
    every = tuple({each.table: each for each in models}.values())
    for model in every:
        wanted = policies(model)
        if wanted:
            texts += removal(model, (each.name for each in wanted))
            texts += creation(model)
    if role is not None:
        quoted = POSTGRESQL.quote(role)
        texts.append(f"CREATE ROLE {quoted} LOGIN NOSUPERUSER NOBYPASSRLS")
        texts += (
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {POSTGRESQL.quote(each.table)} "
            f"TO {quoted}"
            for each in every
        )
    return texts
