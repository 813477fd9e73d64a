"""How the tenants of a DataFlow are kept apart, as it was declared."""

from __future__ import annotations

from typing import Final, Literal, Self, final, get_args

from ..drivers import DatabaseUrl
from ..errors import UrlError, nearest
from ..models import Model
from ..tenancy import (
    DatabasePlaces,
    RawSqlTenancy,
    SchemaPlaces,
    TenantGate,
    TenantStates,
    TenantUrl,
    check_name,
    check_place_name,
)
from ._tenant_places import Places

__all__ = ["KINDS", "Kind", "Tenancy"]

Kind = Literal["row", "schema", "database"]
KINDS: Final = get_args(Kind)


@final
class Tenancy:
    """What keeps tenants apart.

    Args:
        kind: ``row``, ``schema`` or ``database``.
        places: Where each tenant has tables of its own; None where they share them.
        states: What tenants are.
        is_strict: Whether only tenants that are written down are served.

    Attributes:
        raw_sql: The layer that refuses raw SQL which cannot be kept to one tenant.
        gate: What says which tenants may come in.
    """

    def __init__(
        self,
        kind: Kind,
        places: Places | None,
        states: TenantStates,
        *,
        is_strict: bool,
    ) -> None:
        self.kind: Kind = kind
        self.places = places
        self.states = states
        self.is_strict = is_strict
        self.gate = TenantGate(states, is_strict=is_strict)
        self.raw_sql = RawSqlTenancy()

    @classmethod
    def declared(
        cls,
        kind: Kind,
        base: DatabaseUrl,
        url: TenantUrl | None,
        schema: str | None,
        *,
        limit: int,
        pool_size: int,
        known_only: bool,
    ) -> Self:
        """Return what a user asks for.

        Raises:
            ValueError: There is no such kind, a number is too small, or the schemas of
                tenants cannot be called that.
            UrlError: The URL of tenants cannot be used, or the database has no schemas.
        """
        if kind not in KINDS:
            near = nearest(str(kind), KINDS)
            hint = f"did you mean {near!r}?" if near else f"one of {', '.join(KINDS)}"
            msg = f"tenancy is not {kind!r}: {hint}"
            raise ValueError(msg)
        for name, number in (
            ("max_open_tenants", limit),
            ("tenant_pool_size", pool_size),
        ):
            if number < 1:
                msg = f"{name} is at least 1, not {number}"
                raise ValueError(msg)
        if url is not None and kind != "database":
            problem = 'tenant_url is for tenancy="database"'
            raise UrlError(base.safe, problem)
        if schema is not None and kind != "schema":
            msg = 'tenant_schema is for tenancy="schema"'
            raise ValueError(msg)
        states = TenantStates()
        places: Places | None = None
        if kind == "database":
            places = DatabasePlaces(base, url, states, limit=limit, pool_size=pool_size)
        elif kind == "schema":
            places = SchemaPlaces(
                base, schema, states, limit=limit, pool_size=pool_size
            )
        is_strict = known_only or places is not None
        return cls(kind, places, states, is_strict=is_strict)

    def declare(self, model: Model) -> None:
        """Take notice of a model before anything is made of it."""
        self.gate.declare(model)
        if self.places is None or not self.places.has_sql:
            self.raw_sql.declare(model)

    def check_name(self, name: object) -> str:
        """Return *name* if a tenant can have it here.

        Raises:
            TypeError: It is no text.
            TenantNameError: It cannot.
        """
        if self.places is None:
            return check_name(name)
        tenant = check_place_name(name)
        self.places.url(tenant)
        return tenant

    def place(self, tenant: str) -> str:
        """Return what the place of a tenant is called."""
        return "rows" if self.places is None else self.places.name(tenant)
