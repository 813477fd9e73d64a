"""What is refused so that tenants stay apart. No message names a tenant."""

from __future__ import annotations

from typing import Final

from ._base import DataFlowError

__all__ = [
    "RowSecurityError",
    "RowSecurityRoleError",
    "TenancyError",
    "TenantLimitError",
    "TenantMismatchError",
    "TenantRequiredError",
    "TenantScopeError",
]


class TenancyError(DataFlowError):
    """Base of what is refused so that tenants stay apart; nothing was done."""


class TenantRequiredError(TenancyError):
    """Rows of a model with tenants were asked for, and nobody said whose.

    Attributes:
        owner: The node or model that was asked.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"{self.owner} works for one tenant and was told none: run it with "
            "tenant=..., inside db.tenant(...), or give the node a tenant_id"
        )


class TenantLimitError(TenancyError):
    """A tenant asked for more than it may have at once, or more often.

    Attributes:
        tenant: Which; the message does not say it.
        limit: ``waiting``, ``running`` or ``per_second``.
        most: What may be, by that limit.
        retry_after: Seconds after which it may be asked again; None when that depends
            on when calls that were made before are done.
    """

    def __init__(
        self, tenant: str, limit: str, most: float, retry_after: float | None = None
    ) -> None:
        super().__init__(tenant, limit, most, retry_after)
        self.tenant = tenant
        self.limit = limit
        self.most = most
        self.retry_after = retry_after

    def __str__(self) -> str:
        after = "when others of its calls are done"
        if self.retry_after is not None:
            after = f"after {self.retry_after:.3g} s"
        return (
            f"the tenant has {_REACHED[self.limit].format(self.most)}, which is its "
            f"limit: ask again {after}"
        )


_REACHED: Final = {
    "waiting": "{} calls that wait",
    "running": "{} calls at work",
    "per_second": "made {} calls per second",
}


class TenantMismatchError(TenancyError):
    """Something was said for another tenant than the one it runs for.

    Attributes:
        owner: The node, model or block that was asked.
        place: What named the other tenant.
    """

    def __init__(self, owner: str, place: str) -> None:
        super().__init__(owner, place)
        self.owner = owner
        self.place = place

    def __str__(self) -> str:
        return (
            f"{self.place} of {self.owner} names another tenant than the one it runs "
            "for, which is fixed: leave it out, or start a run for the other one"
        )


class TenantScopeError(TenancyError):
    """What was asked cannot be kept to one tenant, or to reading.

    Attributes:
        owner: The node that refused.
        problem: Why, and what to do instead.
    """

    def __init__(self, owner: str, problem: str) -> None:
        super().__init__(owner, problem)
        self.owner = owner
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.owner} was refused: {self.problem}"


class RowSecurityError(TenancyError):
    """Row security was asked for, or is there, and is not as it has to be.

    Attributes:
        place: The table or database it is about.
        problem: What is wrong, and what to do.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"row security of {self.place}: {self.problem}"


class RowSecurityRoleError(RowSecurityError):
    """The role of the connections sees all rows, whatever policies say.

    Attributes:
        role: Its name.
        reason: Why it does: ``SUPERUSER`` or ``BYPASSRLS``.
    """

    def __init__(self, role: str, reason: str) -> None:
        problem = (
            f"the role {role} has {reason}, so that no policy holds it back: connect as "
            "another one, made by CREATE ROLE name LOGIN NOSUPERUSER NOBYPASSRLS; "
            "db.row_security.sql(role=name) has all that it needs"
        )
        super().__init__("the database", problem)
        self.args = (role, reason)
        self.role = role
        self.reason = reason
