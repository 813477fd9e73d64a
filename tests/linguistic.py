"""A PostgreSQL database whose text is ordered as people do, not by code point.

A table made by somebody else has that order, and filters must not fall for it. Not
every server has such a collation, so the ways to one are tried in turn; the last is
another provider of code point order, which at least is not `C`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from postgres import PostgresServer, run_postgres

__all__ = ["database_in", "linguistic_database"]

asyncpg: Any = import_module("asyncpg")  # it has no types

LINGUISTIC = (
    "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
    "LOCALE_PROVIDER libc LOCALE 'en_US.UTF-8'",
)
LAST = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"

_numbers = count()


@contextmanager
def database_in(server: PostgresServer, locale: str) -> Generator[str]:
    """Give the URL of a new database with a locale, and drop it.

    Raises:
        asyncpg.PostgresError: The server does not have the locale.
    """
    name = f"locale_{os.getpid()}_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0 {locale}")
    try:
        yield server.url_of(name)
    finally:
        server.drop(name)


@contextmanager
def linguistic_database(server: PostgresServer) -> Generator[tuple[str, str]]:
    """Give the URL of a database that orders text as people do, and its locale."""
    for locale in LINGUISTIC:
        with suppress(asyncpg.PostgresError):
            with database_in(server, locale) as url:
                yield url, locale
            return
    with _server_with_locale() as other:
        locale = LAST if other is None else LINGUISTIC[-1]
        with database_in(other or server, locale) as url:
            yield url, locale


@contextmanager
def _server_with_locale() -> Generator[PostgresServer | None]:
    """Start one more server, with a locale that is compiled for it."""
    compiler = shutil.which("localedef")
    if compiler is None or "DATAFLOW_TEST_POSTGRES" in os.environ:
        yield None
        return
    with (
        tempfile.TemporaryDirectory(prefix="dataflow-locale-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(folder).chmod(0o755)  # the server may run as a user of its own
        arguments = ["-i", "en_US", "-f", "UTF-8", "--no-archive"]
        compiled = subprocess.run(  # noqa: S603  # by the path just found
            [compiler, *arguments, f"{folder}/en_US.UTF-8"],
            capture_output=True,
            check=False,
        )
        if compiled.returncode:
            yield None
            return
        patch.setenv("LOCPATH", folder)
        with run_postgres() as server:
            yield server
