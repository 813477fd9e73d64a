"""A declared class makes no instances: rows are plain dicts."""

from __future__ import annotations

from typing import Any, NoReturn

from ....errors import ModelError
from ..._model import Model

__all__ = ["InstanceError", "seal"]


class InstanceError(ModelError, TypeError):
    """A declared class was called as if it made a row."""

    def __init__(self, model: str) -> None:
        super().__init__(model, None, "it makes no instances")
        self.args = (model,)

    def __str__(self) -> str:
        return (
            f"{self.model}(...) makes no row: rows are made with "
            f"db[{self.model}].create(...) or the node {self.model}CreateNode"
        )


def seal(cls: type, model: Model) -> None:
    """Let *cls* know its model, and refuse to make instances of it.

    A class may be sealed again, by a later declaration of the same class.
    """

    def refuse(made: type, *_: object, **__: object) -> NoReturn:
        raise InstanceError(made.__name__)

    sealed: Any = cls
    sealed.__dataflow_model__ = model
    sealed.__new__ = staticmethod(refuse)
