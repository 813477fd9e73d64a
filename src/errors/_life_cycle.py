"""What is closed, or was never installed."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = ["ClosedError", "MemoryDatabaseError", "MissingExtraError"]


class ClosedError(DataFlowError):
    """The object was closed.

    Attributes:
        name: What was closed.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} is closed: make a new one"


class MemoryDatabaseError(DataFlowError):
    """A database in memory belongs to one event loop, and another one asked for it.

    Attributes:
        name: The database.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name} lives in the memory of another event loop, which uses it now: "
            "stay on that one, or use a file"
        )


class MissingExtraError(DataFlowError, ImportError):
    """An optional package is not installed.

    Attributes:
        feature: What needs it.
        extra: Name of the extra that installs it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(feature, extra)
        self.feature = feature
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"{self.feature} needs an optional package: "
            f"pip install 'dataflow-actors[{self.extra}]'"
        )
