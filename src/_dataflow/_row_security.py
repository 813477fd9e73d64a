"""What a DataFlow tells of its row security."""

from __future__ import annotations

from typing import final

from ..drivers import DatabaseUrl
from ..errors import RowSecurityError
from ..nodes import Catalogue
from ..row_security import RowSecurity, policy_texts
from ..sql import POSTGRESQL

__all__ = ["RowSecurityView", "row_security_of"]

_ELSEWHERE = (
    "only PostgreSQL has policies; here tenants are kept apart by what each statement "
    "asks for, as they are without: leave row_security out"
)


def row_security_of(url: DatabaseUrl, *, is_on: bool) -> RowSecurity | None:
    """Return what keeps statements to it, or None where it is not wanted.

    Raises:
        RowSecurityError: The database has none.
    """
    if not is_on:
        return None
    if url.dialect is not POSTGRESQL:
        place = f"the database {url.safe}"
        raise RowSecurityError(place, _ELSEWHERE)
    return RowSecurity()


@final
class RowSecurityView:
    """The policies of the models with tenants, for whoever looks after the database.

    Args:
        wall: Keeps statements to them; None where that is off.
        catalogue: The models.

    Attributes:
        is_on: Whether statements are kept to them.
    """

    def __init__(self, wall: RowSecurity | None, catalogue: Catalogue) -> None:
        self.is_on = wall is not None
        self._catalogue = catalogue

    def sql(self, role: str | None = None) -> list[str]:
        """Return what the owner of the tables runs, one statement of PostgreSQL each.

        The tables must be there. It may be run again, but for the role.

        Args:
            role: Also make this role, which is held to the policies, and let it read
                and write the rows of all declared models. It gets no password.
        """
        return policy_texts(self._catalogue.models.values(), role)
