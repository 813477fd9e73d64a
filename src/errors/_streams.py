"""What ends a stream of records before its end."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = ["StreamIdleError"]


class StreamIdleError(DataFlowError):
    """Nobody took a record of a stream for so long that its connection was released.

    Attributes:
        model: Name of the model.
        idle_s: How long, in seconds.
    """

    def __init__(self, model: str, idle_s: float) -> None:
        super().__init__(model, idle_s)
        self.model = model
        self.idle_s = idle_s

    def __str__(self) -> str:
        return (
            f"no {self.model} was taken from the stream for {self.idle_s:g} s, so its "
            "connection went back to the pool: take records sooner, or pass a greater "
            "idle_s"
        )
