"""Which names tenants can have.

A tenant whose rows stand in a column may be called anything. One that has a schema or a
database of its own gives it its name, and that name becomes an identifier, a path and
part of a URL; so it is kept to what is the same in all of them, on every file system.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import TenantNameError

__all__ = ["MAX_BYTES", "check_identifier", "check_name", "check_place_name"]

MAX_BYTES: Final = 63
"""Source: PostgreSQL, Lexical Structure: NAMEDATALEN - 1; it cuts longer ones."""

_TEXT: Final = 255
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"{device}{n}" for device in ("com", "lpt") for n in range(10)}
)
"""Source: Windows, Naming Files, Paths, and Namespaces, "Naming Conventions"."""


def check_name(name: object) -> str:
    """Return *name* if it can be that of any tenant.

    Raises:
        TypeError: It is no text.
        TenantNameError: It is empty, too long, or holds what no database keeps.
    """
    if not isinstance(name, str):
        msg = f"a tenant is named by a str, not {type(name).__name__}"
        raise TypeError(msg)
    if not name.strip():
        raise TenantNameError(name, "it is empty")
    if len(name) > _TEXT:
        problem = f"it has {len(name)} characters, and {_TEXT} are the most"
        raise TenantNameError(f"{name[:20]}…", problem)
    if not name.isprintable():
        problem = "it holds a character that cannot be seen: leave that out"
        raise TenantNameError(name, problem)
    return name


def check_place_name(name: object) -> str:
    """Return *name* if a schema, a database or a file may be called after it.

    Raises:
        TypeError: It is no text.
        TenantNameError: It may not.
    """
    text = check_name(name)
    if not _PLAIN.fullmatch(text):
        problem = (
            "it names a place of its own, so it begins with a letter or a digit and "
            "holds lower-case letters, digits, _ and - only, all of ASCII"
        )
        raise TenantNameError(text, problem)
    check_identifier(text, text)
    if text in _DEVICES:
        raise TenantNameError(text, "Windows has a device of this name: add to it")
    return text


def check_identifier(tenant: str, identifier: str) -> str:
    """Return *identifier* if PostgreSQL keeps all of it.

    Raises:
        TenantNameError: It does not: another tenant's might be cut to the same.
    """
    size = len(identifier.encode())
    if size > MAX_BYTES:
        problem = (
            f"its place would be called {identifier!r}, {size} bytes, and PostgreSQL "
            f"keeps {MAX_BYTES}: shorten it"
        )
        raise TenantNameError(tenant, problem)
    return identifier
