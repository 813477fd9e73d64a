"""COPY: rows that are sent to a table in one go, from a buffer or piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Self, final

from ...errors import ConnectionLostError
from ...sql import Result
from .._refusals import ENDED
from ._client import Client

__all__ = ["copy", "count_of"]

_PAUSE_S: Final = 0.001
"""Seconds that COPY waits after an empty piece."""


async def copy(client: Client, text: str, packed: bytes | Iterator[bytes]) -> Result:
    """Send rows to ``COPY … FROM STDIN``, on the asyncio side.

    asyncpg waits for room to write, between two pieces, with nothing that a lost
    connection would end: so that is told by a listener, which ends the sending.
    In one buffer there is no such wait.
    """
    if isinstance(packed, bytes):
        # A memoryview, since asyncpg takes bytes for the name of a file.
        source: object = memoryview(packed)
        return _copied(await client._copy_in(text, source, None))  # noqa: SLF001
    copying = client._copy_in(text, _Pieces(packed), None)  # noqa: SLF001
    sending = asyncio.create_task(copying)

    def end(_: object) -> None:
        sending.cancel()

    client.add_termination_listener(end)
    try:
        await asyncio.wait([sending])
        if sending.cancelled():
            raise ConnectionLostError(ENDED)
        return _copied(sending.result())
    finally:
        client.remove_termination_listener(end)
        await _stop(sending)


@final
class _Pieces:
    """Pieces for COPY, made one by one between other tasks."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        for piece in self._pieces:
            if piece:
                return piece
            await asyncio.sleep(_PAUSE_S)
        raise StopAsyncIteration


async def _stop(sending: asyncio.Task[str]) -> None:
    """End a COPY whose caller is cancelled, and see it end."""
    while not sending.done():
        sending.cancel()
        # What cancelled the caller goes on behind this, whatever comes again.
        with suppress(asyncio.CancelledError):
            await asyncio.wait([sending])
    if not sending.cancelled():
        sending.exception()  # looked at, lest asyncio reports it


def _copied(status: str) -> Result:
    return Result((), count_of(status.encode()))


def count_of(status: bytes | None) -> int:
    """Read the number of rows off a command tag such as ``INSERT 0 3``."""
    if status is None:
        return 0  # of a statement that holds nothing but a comment
    number = status.rpartition(b" ")[2]
    return int(number) if number.isdigit() else 0
