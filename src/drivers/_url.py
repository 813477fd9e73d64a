"""Database URLs: the text a user types, as a value that guards its password.

Rules of this file. A URL is read in two ways. The *standard* reading (RFC 3986)
comes first; it needs reserved characters in the password to be percent-encoded.
Where it does not fit, the *generous* reading takes everything up to the last
``@`` as user and password, so ``#``, ``?``, ``/``, ``:`` and ``@`` may stand in a
password as they are. Hence an ``@`` elsewhere must be written ``%40``, save in the
value of a known option. No message made here holds a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from ..errors import UrlError, nearest
from ..sql import POSTGRESQL, SQLITE, Dialect

__all__ = ["DatabaseUrl", "parse_url"]

MEMORY: Final = ":memory:"

SCHEMES: Final[Mapping[str, Dialect]] = {
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
    "postgresql+asyncpg": POSTGRESQL,
    "sqlite": SQLITE,
    "sqlite+aiosqlite": SQLITE,
}

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    # Source: PostgreSQL, libpq, "Parameter Key Words", as far as asyncpg has
    # them, and the run-time settings that are worth a word in a URL.
    "postgresql": (
        "application_name",
        "connect_timeout",
        "host",
        "lock_timeout",
        "options",
        "password",
        "port",
        "search_path",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "statement_timeout",
        "target_session_attrs",
        "user",
    ),
    "sqlite": ("shortcut", "timeout"),
}

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""Source: PostgreSQL, libpq, "SSL Support", `sslmode`."""

SWITCH: Final = ("on", "off")

NUMBERS: Final = ("connect_timeout", "timeout")

FILE_SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")

_HOST = r"(?P<host>\[[0-9A-Za-z:.%_-]+\]|[^@/?#:\[\]]*)(?::(?P<port>[0-9]*))?"
_STANDARD = re.compile(
    rf"(?:(?P<login>[^/?#]*)@)?{_HOST}(?:/(?P<database>[^@/?#]*))?(?:\?(?P<query>[^#]*))?"
)
_GENEROUS = re.compile(
    rf"(?P<login>.*)@{_HOST}(?:/(?P<database>[^@/?#]*))?(?:\?(?P<query>[^@#]*))?",
    re.DOTALL,
)


@final
@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """Where a database is, and how to enter it.

    Two equal URLs name one database, except in memory, where each connection pool
    has its own. The password shows in no text of this object.

    Attributes:
        dialect: What the database speaks.
        host: Name, address, or the folder of a Unix socket; None for the default
            of the client, and on SQLite.
        port: None for the default.
        user: None for the default of the client.
        password: As it is, not encoded; None when there is none.
        database: Its name; on SQLite the path of its file, or ``:memory:``.
        options: What else the URL asks for, each checked to be known.
    """

    dialect: Dialect
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = None
    database: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def is_memory(self) -> bool:
        """Whether the database lives in memory, for one pool only."""
        return self.dialect is SQLITE and self.database == MEMORY

    @property
    def safe(self) -> str:
        """The URL with its password masked, for logs and messages."""
        query = "&".join(f"{name}={_quoted(to)}" for name, to in self.options.items())
        return f"{self._address()}{'?' if query else ''}{query}"

    def _address(self) -> str:
        if self.dialect is SQLITE:
            return f"sqlite:///{self.database}"
        host = _quoted(self.host or "", safe="[]:.")
        if ":" in host:
            host = f"[{host}]"
        login = "" if self.user is None else _quoted(self.user, safe="")
        login += "" if self.password is None else ":***"
        port = "" if self.port is None else f":{self.port}"
        at = "@" if login else ""
        return f"postgresql://{login}{at}{host}{port}/{_quoted(self.database, safe='')}"

    def __str__(self) -> str:
        return self.safe

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.safe!r})"


def parse_url(text: str) -> DatabaseUrl:
    """Read the URL of a database.

    PostgreSQL: ``postgresql://user:password@host:port/database?option=value``, also
    ``postgres://`` and ``postgresql+asyncpg://``; a Unix socket as ``?host=/folder``
    or ``postgresql://%2Ffolder/database``. SQLite: ``sqlite:///relative.db``,
    ``sqlite:////absolute.db``, ``sqlite:///C:/windows.db``, ``sqlite:///:memory:``,
    ``:memory:``, or the bare path of a ``.db``, ``.sqlite`` or ``.sqlite3`` file.

    A password may be percent-encoded or hold its special characters as they are;
    a ``%`` before anything but two hexadecimal digits stands for itself.

    Raises:
        UrlError: What is wrong and what would be right; the password is masked.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _parse_path(text)
    dialect = SCHEMES.get(scheme.lower())
    if dialect is None:
        raise UrlError(_mask(text), _unsupported(scheme))
    if dialect is SQLITE:
        return _parse_sqlite(text, rest)
    return _parse_postgresql(text, rest)


def _parse_path(text: str) -> DatabaseUrl:
    if text == MEMORY or text.lower().endswith(FILE_SUFFIXES):
        return DatabaseUrl(SQLITE, database=text)
    problem = (
        "it has no scheme: write postgresql://user:password@host/database or "
        f"sqlite:///path.db (a bare path must end in {', '.join(FILE_SUFFIXES)})"
    )
    raise UrlError(_mask(text), problem)


def _parse_sqlite(text: str, rest: str) -> DatabaseUrl:
    location, _, query = rest.partition("?")
    if location and not location.startswith("/"):
        problem = f"a path comes after three slashes: write sqlite:///{location}"
        raise UrlError(_mask(text), problem)
    path = _decode(text, location.removeprefix("/")) or MEMORY
    return DatabaseUrl(SQLITE, database=path, options=_options(text, SQLITE, query))


def _parse_postgresql(text: str, rest: str) -> DatabaseUrl:
    parts = _split(text, rest)
    options = _options(text, POSTGRESQL, parts["query"] or "")
    login, _, password = (parts["login"] or "").partition(":")
    host = options.pop("host", None) or _decode(text, parts["host"] or "").strip("[]")
    port = options.pop("port", None) or parts["port"]
    return DatabaseUrl(
        POSTGRESQL,
        host=host or None,
        port=_port(text, port) if port else None,
        user=options.pop("user", None) or _decode(text, login) or None,
        password=options.pop("password", None) or _decode(text, password) or None,
        database=_decode(text, parts["database"] or ""),
        options=options,
    )


def _split(text: str, rest: str) -> dict[str, str | None]:
    standard = _STANDARD.fullmatch(rest)
    if standard is not None and _is_plausible(standard["query"] or ""):
        return standard.groupdict()
    generous = _GENEROUS.fullmatch(rest) or standard
    if generous is not None:
        return generous.groupdict()
    problem = (
        "it is not of the form postgresql://user:password@host:port/database: check "
        "host and port, and write @ as %40, # as %23 after the host"
    )
    raise UrlError(_mask(text), problem)


def _is_plausible(query: str) -> bool:
    """Tell a query from the rest of a password with a ``?`` in it."""
    names = (pair.partition("=")[0] for pair in query.split("&"))
    return "@" not in query or all(name in OPTIONS["postgresql"] for name in names)


def _options(text: str, dialect: Dialect, query: str) -> dict[str, str]:
    known = OPTIONS[dialect.name]
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name not in known:
            match = nearest(name, known)
            hint = f"did you mean {match!r}?" if match else f"known: {', '.join(known)}"
            raise UrlError(_mask(text), f"there is no option {name!r}: {hint}")
        options[name] = _decode(text, value)
        _check_option(text, name, options[name])
    return options


def _check_option(text: str, name: str, value: str) -> None:
    if name == "sslmode" and value not in SSL_MODES:
        match = nearest(value, SSL_MODES)
        hint = f"did you mean {match!r}?" if match else f"use {', '.join(SSL_MODES)}"
        raise UrlError(_mask(text), f"there is no sslmode {value!r}: {hint}")
    if name == "shortcut" and value not in SWITCH:
        raise UrlError(_mask(text), "shortcut is on or off")
    if name in NUMBERS and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        raise UrlError(_mask(text), f"{name} takes a number of seconds")


def _port(text: str, port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UrlError(_mask(text), "a port is a number from 1 to 65535")
    return int(port)


def _quoted(part: str, safe: str = "/") -> str:
    from urllib.parse import quote  # noqa: PLC0415  # 3 ms that no import needs

    return quote(part, safe=safe)


def _decode(text: str, part: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415  # see above

    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        problem = (
            "its percent-encoding is not UTF-8: encode each byte of the UTF-8 text"
        )
        # Not `from error`: it carries the undecodable part, maybe a password.
        raise UrlError(_mask(text), problem) from None


def _unsupported(scheme: str) -> str:
    match = nearest(scheme, tuple(SCHEMES))
    hint = f"did you mean {match!r}?" if match else "use postgresql:// or sqlite:///"
    return f"PostgreSQL and SQLite are supported, not {scheme!r}: {hint}"


def _mask(text: str) -> str:
    """Hide whatever could be a password in a text that was not understood."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    rest = re.sub(r"(?i)(password=)[^&]*", r"\1***", rest)
    if "@" in rest:
        rest = re.sub(r"^([^:@]*):.*@", r"\1:***@", rest, flags=re.DOTALL)
    elif re.match(r"[^/\[?#]*:(?![0-9]*(/|$))", rest) and rest != MEMORY:
        # No "@": what follows the colon may be a password whose host was lost.
        rest = re.sub(r":.*", ":***", rest, count=1, flags=re.DOTALL)
    return f"{scheme}{separator}{rest}"
