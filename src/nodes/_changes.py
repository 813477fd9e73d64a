"""Waiting until something has changed, whatever it is: look, wait, look again."""

from __future__ import annotations

from typing import final

import anyio

__all__ = ["Changes"]


@final
class Changes:
    """What tasks of one event loop wait for; made before there is one."""

    def __init__(self) -> None:
        self._next: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until somebody tells of a change."""
        if self._next is None:
            self._next = anyio.Event()
        await self._next.wait()

    def tell(self) -> None:
        """Wake all who wait now."""
        told, self._next = self._next, None
        if told is not None:
            told.set()
