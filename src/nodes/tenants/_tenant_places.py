"""The places of tenants that an engine has open: not too many, and none twice.

Rules of this file:

1. A tenant has one place on an engine at most. Opening is done by one task; others
   wait for it, and if it is cancelled or fails one of them tries anew.
2. There are never more than `Apart.limit`, those counted that are being opened or
   closed. Where one more is wanted, the one that was unused for longest is closed.
3. A place in use is never closed: each message counts from when it is handed over until
   it is answered, each stream until its end. Where all are in use, whoever wants another
   one waits, first come, first served.
4. A place belongs to the tenant of one epoch. When a tenant was deleted and made again,
   its old place is closed before the new one is opened.
5. A place that is unfit to be opened leaves nothing behind.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar, final

import anyio

from .._changes import Changes
from ._apart import Apart

__all__ = ["TenantPlaces"]


class Opened(Protocol):
    """What is asked of a place."""

    @property
    def is_idle(self) -> bool:
        """Whether no stream reads from it."""
        ...


PlaceT = TypeVar("PlaceT", bound=Opened)


class Opener(Protocol[PlaceT]):
    """Opens and closes places, on one engine."""

    async def admit(self, tenant: str) -> str:
        """Return the epoch of a tenant, see `Apart.admit`."""
        ...

    async def open(self, tenant: str, on_idle: Callable[[], None]) -> PlaceT:
        """Open a place; if that fails, nothing is left of it."""
        ...

    async def close(self, place: PlaceT) -> None:
        """Let it serve what it has, and close it; a cancellation waits for that."""
        ...


@final
class _Home(Generic[PlaceT]):
    """One tenant's place, from when it is being opened until it is closed."""

    __slots__ = ("epoch", "is_closing", "place", "uses")

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.place: PlaceT | None = None
        self.uses = 0
        self.is_closing = False

    @property
    def is_open(self) -> bool:
        return self.place is not None and not self.is_closing

    @property
    def is_unused(self) -> bool:
        return (
            self.place is not None
            and not self.is_closing
            and not self.uses
            and self.place.is_idle
        )


@final
class TenantPlaces(Generic[PlaceT]):
    """The open places of the tenants of one database.

    Args:
        apart: Where they are, and how many may be open.
        opener: Opens and closes them.
    """

    def __init__(self, apart: Apart, opener: Opener[PlaceT]) -> None:
        self._apart = apart
        self._opener = opener
        self._homes: OrderedDict[str, _Home[PlaceT]] = OrderedDict()
        self._changes = Changes()
        self._turn = anyio.Lock()

    @property
    def open(self) -> tuple[str, ...]:
        """The tenants whose places are open, the one used last at the end."""
        return tuple(self._homes)

    def take_nowait(self, tenant: str) -> PlaceT | None:
        """Take the place of a tenant, for one use; None if it must be waited for."""
        home = self._homes.get(tenant)
        if home is None or home.place is None or home.is_closing:
            return None
        if home.epoch != self._apart.epoch_nowait(tenant):
            return None
        home.uses += 1
        self._homes.move_to_end(tenant)
        return home.place

    async def take(self, tenant: str) -> PlaceT:
        """Take the place of a tenant, for one use; open it if need be.

        If cancelled, nothing is taken, and a place that was being opened is not kept.

        Raises:
            TenancyError: There is no such tenant, or its place is not its own.
            DriverError: Its place could not be reached.
        """
        epoch = await self._opener.admit(tenant)
        while True:
            home = self._homes.get(tenant)
            if home is None:
                return await self._open(tenant, epoch)
            if home.is_open and home.epoch == epoch:
                home.uses += 1
                self._homes.move_to_end(tenant)
                assert home.place is not None  # noqa: S101  # it is open
                return home.place
            if home.is_unused:
                await self._close(tenant, home)  # it was another tenant's of this name
            else:
                await self._changes.wait()
                epoch = await self._opener.admit(tenant)

    def give(self, tenant: str) -> None:
        """Say that a use of the place of a tenant is over."""
        home = self._homes[tenant]
        home.uses -= 1
        if not home.uses:
            self._changes.tell()

    @asynccontextmanager
    async def using(self, tenant: str) -> AsyncGenerator[PlaceT]:
        """Give one use of the place of a tenant; see `take`."""
        place = await self.take(tenant)
        try:
            yield place
        finally:
            self.give(tenant)

    async def close(self, tenant: str) -> None:
        """Close the place of a tenant when it is no longer used; idempotent.

        If cancelled while it waits for that, it stays open.
        """
        while (home := self._homes.get(tenant)) is not None:
            if home.is_unused:
                await self._close(tenant, home)
            else:
                await self._changes.wait()

    async def aclose(self) -> None:
        """Close all places, used or not; what they have is served first."""
        for tenant, home in tuple(self._homes.items()):
            if home.is_open:
                await self._close(tenant, home)
        while self._homes:
            await self._changes.wait()

    # -- within -----------------------------------------------------------------

    async def _open(self, tenant: str, epoch: str) -> PlaceT:
        """Open a place and take it, unless somebody else did meanwhile."""
        async with self._turn:
            while tenant not in self._homes and len(self._homes) >= self._apart.limit:
                await self._make_room()
            if tenant in self._homes:
                home = None
            else:
                home = self._homes[tenant] = _Home(epoch)
        if home is None:
            return await self.take(tenant)
        try:
            home.place = await self._opener.open(tenant, self._changes.tell)
        except BaseException:
            del self._homes[tenant]
            raise
        else:
            home.uses += 1
            return home.place
        finally:
            self._changes.tell()

    async def _make_room(self) -> None:
        """Close the place that was unused for longest, or wait for one."""
        for tenant, home in self._homes.items():
            if home.is_unused:
                await self._close(tenant, home)
                return
        await self._changes.wait()

    async def _close(self, tenant: str, home: _Home[PlaceT]) -> None:
        assert home.place is not None  # noqa: S101  # it was opened
        home.is_closing = True
        try:
            with anyio.CancelScope(shield=True):
                await self._opener.close(home.place)
        finally:
            del self._homes[tenant]
            self._changes.tell()
