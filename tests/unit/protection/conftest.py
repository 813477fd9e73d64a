"""A model, and messages for its nodes before the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, final

import pytest

from dataflow import field
from dataflow.messages import Envelope, Operation, Request, Scope
from dataflow.models import Model, declare
from dataflow.protection import Protection
from dataflow.sql import SQLITE, Dialect


@final
class Clock:
    """A time that stands still until it is set."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()


class Item:
    name: str
    status: str = "open"
    price: int = 0
    sku: str | None = field(default=None, immutable=True)
    code: str | None = field(default=None, write_once=True)
    mail: str | None = field(default=None, pii="email")
    owner: str | None = field(default=None, never_null=True)


class Plain:
    name: str


ITEM: Model = declare(Item)
PLAIN: Model = declare(Plain)


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., Protection]


@pytest.fixture
def make(clock: Clock) -> Make:
    """Give what makes a protection of some rules, for two models."""

    def make(
        policy: object,
        *,
        dialect: Dialect = SQLITE,
        connection: str = "shop.db",
        **more: Any,
    ) -> Protection:
        protection = Protection(
            policy, connection, dialect, now=clock.now, clock=clock.seconds, **more
        )
        protection.declare(ITEM)
        protection.declare(PLAIN)
        return protection

    return make


@pytest.fixture
def ask() -> Callable[..., Envelope]:
    """Give what makes a message."""

    def ask(
        operation: str = "update",
        model: str = "Item",
        parameters: Mapping[str, Any] | None = None,
        *,
        principal: str | None = None,
        **context: Any,
    ) -> Envelope:
        request = Request(
            node=f"{model}Node",
            model=model,
            operation=Operation(operation),
            parameters=parameters or {},
        )
        scope = Scope(context=context)
        return Envelope(message=request, principal=principal, scope=scope)

    return ask
