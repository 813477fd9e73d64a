"""A layer that lets nobody write."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, final

from ..actors import Handler, Turn
from ..errors import WriteBlockedError
from ..messages import Request

__all__ = ["ReadOnly"]

EVERY: Final = "*"
"""The model of raw SQL: it may write to any."""


@final
class ReadOnly:
    """Let reads pass and refuse writes, each message of a turn for itself.

    Raw SQL is refused as well, also when only some models are protected: what it
    touches is not known before it runs.

    Args:
        models: Names of the protected models; every model if None.
        reason: Said in the refusal, such as ``"ReadOnly (migration under way)"``.
    """

    def __init__(
        self, models: Collection[str] | None = None, *, reason: str | None = None
    ) -> None:
        if isinstance(models, str):
            msg = f"models is a collection of names, not one: use [{models!r}]"
            raise TypeError(msg)
        self._models = None if models is None else frozenset(models)
        self._rule = "ReadOnly" if reason is None else f"ReadOnly ({reason})"

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        """Refuse the writes of a turn with `WriteBlockedError`, pass on the rest."""
        for envelope in turn.taken:
            message = envelope.message
            if isinstance(message, Request) and self._is_refused(message):
                operation = message.operation.value
                refusal = WriteBlockedError(message.model, operation, self._rule)
                turn.refuse(envelope, refusal)
        if turn:
            await call_next(turn)

    def _is_refused(self, message: Request) -> bool:
        if not message.operation.is_write:
            return False
        models = self._models
        return models is None or message.model in models or message.model == EVERY
