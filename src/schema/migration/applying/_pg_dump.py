"""Copies of tables of PostgreSQL in a file, by ``pg_dump``, and reading them back.

Rules of this file: a password goes through a file that only its owner may read, never
through arguments. A program older than the server is not used: it refuses. The dump
takes its name when it is whole and was read once.
Source: PostgreSQL, "pg_dump", "Environment Variables", "The Password File".
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote as encoded

import anyio
from anyio import to_thread

from ....drivers import DatabaseUrl
from ..writing import quote

__all__ = ["DumpError", "Place", "dump", "find_program", "rows_in", "tables_in"]

Place = tuple[str, str]
"""The schema of a table, and its name."""

_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_VARIABLES: Final = {
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "sslcert": "PGSSLCERT",
    "sslcrl": "PGSSLCRL",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_LOCK_WAIT_S: Final = 60
"""Seconds that a dump waits for its locks, while somebody else changes a table."""

_ANSWER_S: Final = 5
"""Seconds in which a program tells its version."""

_PIECE: Final = 1 << 18


class DumpError(Exception):
    """A program is missing, or did not do it; tells why."""


async def find_program(name: str, version: int) -> str:
    """Return the path of a program on ``PATH`` that is not older than *version*.

    Raises:
        DumpError: There is none.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = [path for each in folders if (path := shutil.which(name, path=each))]
    versions: list[int] = []
    for path in dict.fromkeys(found):
        versions.append(await to_thread.run_sync(_version, path))
        if versions[-1] >= version:
            return path
    seen = f" ({', '.join(map(str, versions))} is there)" if versions else ""
    message = f"there is no {name} of version {version} or newer on PATH{seen}"
    raise DumpError(message)


def _version(path: str) -> int:
    """Return the major version of a program; 0 if it does not tell."""
    try:
        done = subprocess.run(  # noqa: S603  # found on PATH
            [path, "--version"],
            capture_output=True,
            check=False,
            text=True,
            timeout=_ANSWER_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    told = _VERSION.search(done.stdout)
    return 0 if told is None else int(told[1])


async def dump(
    url: DatabaseUrl, version: int, places: Iterable[Place], folder: Path, number: int
) -> Path:
    """Write tables into a file of *folder*, and return its path.

    All tables are of one moment. If cancelled, there is no file.

    Raises:
        DumpError: The program is missing, or did not do it; there is no file.
    """
    dumping = await find_program("pg_dump", version)
    reading = await find_program("pg_restore", version)
    tables = [f"--table={quote(schema)}.{quote(name)}" for schema, name in places]
    partial: Path | None = None
    try:
        partial = _new_file(folder, f"{_stem(url, number)}-", ".partial")
        said = [
            "--no-password",
            f"--file={partial}",
            f"--lock-wait-timeout={_LOCK_WAIT_S}s",
            *tables,
        ]
        async with _environment(url) as environment:
            await _run([dumping, "--format=custom", *said], environment)
        await _run([reading, "--list", str(partial)], os.environ)
        return _take(partial, folder, _stem(url, number))
    except OSError as error:
        message = f"{folder} cannot be written to: {error.strerror or error}"
        raise DumpError(message) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _stem(url: DatabaseUrl, number: int) -> str:
    return f"{encoded(url.database, safe='')}.before-migration-{number}"


def _new_file(folder: Path, prefix: str, suffix: str) -> Path:
    """Make an empty file that only its owner may read."""
    handle, name = tempfile.mkstemp(suffix, prefix, folder)
    os.close(handle)
    return Path(name)


def _take(partial: Path, folder: Path, stem: str) -> Path:
    """Give the file its name, of those that nobody has yet."""
    number = 1
    while True:
        tail = f"-{number}" if number > 1 else ""
        path = folder / f"{stem}{tail}.dump"
        with suppress(FileExistsError):
            os.link(partial, path)
            return path
        number += 1


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program and return what it printed.

    Raises:
        DumpError: It did not do it.
    """
    try:
        done = await anyio.run_process(command, env=environment, check=False)
    except OSError as error:
        message = f"{command[0]} cannot be run: {error.strerror or error}"
        raise DumpError(message) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        message = f"{command[0]} failed: {said[0] if said else done.returncode}"
        raise DumpError(message)
    return done.stdout.decode(errors="replace")


@asynccontextmanager
async def _environment(url: DatabaseUrl) -> AsyncGenerator[dict[str, str]]:
    """Give what tells a program of PostgreSQL where the database is."""
    told = {
        "PGHOST": url.host,
        "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.user,
        "PGDATABASE": url.database or None,
        "PGAPPNAME": "dataflow backup",
        **{name: url.options.get(option) for option, name in _VARIABLES.items()},
    }
    environment = {**os.environ, **{name: said for name, said in told.items() if said}}
    if url.password is None:
        yield environment
        return
    with tempfile.TemporaryDirectory(prefix="dataflow-") as folder:
        path = _new_file(Path(folder), "pass", "")
        secret = url.password.replace("\\", "\\\\").replace(":", "\\:")
        path.write_text(f"*:*:*:*:{secret}\n", encoding="utf-8")
        environment.pop("PGPASSWORD", None)  # it would be preferred
        yield {**environment, "PGPASSFILE": str(path)}


# -- and back -----------------------------------------------------------------------


async def tables_in(path: Path, version: int, places: Iterable[Place]) -> list[Place]:
    """Return those of the tables whose rows are in a dump.

    Raises:
        DumpError: The dump cannot be read.
    """
    reading = await find_program("pg_restore", version)
    told = await _run([reading, "--list", str(path)], os.environ)
    return [
        (schema, name)
        for schema, name in places
        if f" TABLE DATA {schema} {name} " in told
    ]


@asynccontextmanager
async def rows_in(
    path: Path, version: int, place: Place
) -> AsyncGenerator[tuple[tuple[str, ...], Iterator[bytes]]]:
    """Give the columns of a table in a dump, and its rows as ``COPY`` reads them.

    Raises:
        DumpError: The dump cannot be read.
    """
    schema, name = place
    with tempfile.TemporaryDirectory(prefix="dataflow-") as folder:
        script = _new_file(Path(folder), "rows", ".sql")
        only = [f"--schema={schema}", f"--table={name}", f"--file={script}"]
        reading = await find_program("pg_restore", version)
        await _run([reading, "--data-only", *only, str(path)], os.environ)
        with script.open("rb") as lines:
            columns = _columns(lines)
            yield columns, _pieces(lines)


_NAME: Final = re.compile(r'"((?:[^"]|"")*)"|([^", ]+)')
_COPY: Final = re.compile(
    rb'COPY (?:"(?:[^"]|"")*"|\w+)\.(?:"(?:[^"]|"")*"|\w+) \((.*)\) FROM stdin;\n'
)


def _columns(lines: Iterable[bytes]) -> tuple[str, ...]:
    """Read up to where the rows begin, and return the names of their columns.

    Raises:
        DumpError: They never do.
    """
    for line in lines:
        found = _COPY.fullmatch(line)
        if found is not None:
            names = _NAME.findall(found[1].decode())
            return tuple(quoted.replace('""', '"') or bare for quoted, bare in names)
    message = "it does not say where the rows begin"
    raise DumpError(message)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield rows, some of them at a time, up to the line behind the last."""
    piece = bytearray()
    for line in lines:
        if line == b"\\.\n":
            break
        piece += line
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
