"""What is wrong with a tenant, as whoever looks after tenants is told.

What may reach a tenant itself (`TenantSuspendedError`, `UnknownTenantError` of a
message) names no other one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ._base import DataFlowError
from ._tenancy import TenancyError

__all__ = [
    "ExportError",
    "TenantConfirmationError",
    "TenantDeletionError",
    "TenantExistsError",
    "TenantMigrationError",
    "TenantNameError",
    "TenantPlaceError",
    "TenantStateError",
    "TenantSuspendedError",
    "UnknownTenantError",
]


class UnknownTenantError(TenancyError):
    """There is no such tenant, or no more; nothing was done.

    Attributes:
        tenant: The name that was given.
    """

    def __init__(self, tenant: str) -> None:
        super().__init__(tenant)
        self.tenant = tenant

    def __str__(self) -> str:
        return (
            f"there is no tenant {self.tenant!r}: make it with "
            "db.tenants.create(...), or `dataflow tenant create`"
        )


class TenantSuspendedError(TenancyError):
    """The tenant is suspended, being made or being deleted; nothing was done.

    Attributes:
        owner: The node that was asked.
        state: What the tenant is: ``suspended``, ``creating``, ``importing`` or
            ``deleting``.
        reason: Why, as whoever did it said; or None.
    """

    def __init__(self, owner: str, state: str, reason: str | None = None) -> None:
        super().__init__(owner, state, reason)
        self.owner = owner
        self.state = state
        self.reason = reason

    def __str__(self) -> str:
        why = "" if self.reason is None else f" ({self.reason})"
        if self.state == "suspended":
            return (
                f"{self.owner} was refused: the tenant it works for is suspended{why}; "
                "db.tenants.resume(...) lets it go on"
            )
        return (
            f"{self.owner} was refused: the tenant it works for is {self.state}{why}; "
            "send it again when that is over"
        )


class TenantNameError(TenancyError, ValueError):
    """A name that no tenant can have here.

    Attributes:
        tenant: The name.
        problem: What is wrong with it, and what would be right.
    """

    def __init__(self, tenant: str, problem: str) -> None:
        super().__init__(tenant, problem)
        self.tenant = tenant
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.tenant!r} cannot be the name of a tenant: {self.problem}"


class TenantExistsError(TenancyError):
    """There is a tenant of this name already.

    Attributes:
        tenant: Its name.
    """

    def __init__(self, tenant: str) -> None:
        super().__init__(tenant)
        self.tenant = tenant

    def __str__(self) -> str:
        return (
            f"there is a tenant {self.tenant!r} already: take another name, or say "
            "exist_ok=True"
        )


class TenantStateError(TenancyError):
    """A tenant is not in a state in which that can be done; nothing was done.

    Attributes:
        tenant: Its name.
        state: What it is.
        action: What was to be done.
    """

    def __init__(self, tenant: str, state: str, action: str) -> None:
        super().__init__(tenant, state, action)
        self.tenant = tenant
        self.state = state
        self.action = action

    def __str__(self) -> str:
        return (
            f"{self.tenant!r} is {self.state}, so it cannot be {self.action}: "
            f"{_WAYS_OUT.get(self.state, 'see db.tenants.list()')}"
        )


_WAYS_OUT = {
    "creating": "call db.tenants.create(...) again to finish that, or delete it",
    "importing": "call db.tenants.import_(...) again to finish that, or delete it",
    "deleting": "call db.tenants.delete(...) again to finish that",
    "active": "suspend it first",
}


class TenantPlaceError(TenancyError):
    """The database or the schema of a tenant is missing, or not its own.

    Attributes:
        place: What it is, without a password.
        problem: What is wrong, and what to do.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class TenantConfirmationError(TenancyError):
    """All that a tenant has would be deleted, and nobody confirmed it.

    Attributes:
        tenant: Its name.
    """

    def __init__(self, tenant: str) -> None:
        super().__init__(tenant)
        self.tenant = tenant

    def __str__(self) -> str:
        return (
            f"deleting {self.tenant!r} loses all that it has: look with dry_run=True, "
            "export it, and then say confirmed=True"
        )


class TenantDeletionError(TenancyError):
    """Rows of a tenant could not be deleted; calling it again goes on.

    Attributes:
        tenant: Its name.
        problem: Why, and what to do.
    """

    def __init__(self, tenant: str, problem: str) -> None:
        super().__init__(tenant, problem)
        self.tenant = tenant
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.tenant!r} is not deleted yet: {self.problem}"


class TenantMigrationError(DataFlowError):
    """Some tenants were not migrated; the others were.

    Attributes:
        problems: By tenant, what went wrong.
        done: The tenants that were migrated, or had nothing to migrate.
        left: The tenants that were not looked at any more.
    """

    def __init__(
        self,
        problems: Mapping[str, str],
        done: tuple[str, ...],
        left: tuple[str, ...],
    ) -> None:
        super().__init__(problems, done, left)
        self.problems = dict(problems)
        self.done = done
        self.left = left

    def __str__(self) -> str:
        failed = "; ".join(f"{name}: {error}" for name, error in self.problems.items())
        left = f", {len(self.left)} not tried" if self.left else ""
        return (
            f"{len(self.problems)} tenants were not migrated ({len(self.done)} were"
            f"{left}): {failed}; mend that and migrate again, which goes on with those "
            "that are left"
        )


class ExportError(DataFlowError):
    """An export cannot be written or read.

    Attributes:
        path: Where it is.
        problem: What is wrong, and what to do.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"the export {self.path}: {self.problem}"
