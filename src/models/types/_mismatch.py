"""A value that does not fit a type, described without the value itself."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MismatchError", "is_template", "mismatch"]

_TEMPLATE: Final = re.compile(r"\s*\$\{[^{}]*\}\s*")


class MismatchError(ValueError):
    """A value does not fit a `FieldType`.

    Attributes:
        came: What came, described by its type (never the value itself).
        expected: What the type takes.
        path: Where inside the value, such as ``.tags[2]``; empty for the whole.
    """

    def __init__(self, came: str, expected: str, path: str = "") -> None:
        super().__init__(came, expected, path)
        self.came = f"{came} at {path}" if path else came
        self.expected = expected
        self.path = path
        self._bare = came

    def __str__(self) -> str:
        return f"takes {self.expected}, not {self.came}"

    def inside(self, step: str, expected: str | None = None) -> MismatchError:
        """Return the same seen from one level further out, *step* away."""
        return MismatchError(
            self._bare, expected or self.expected, f"{step}{self.path}"
        )


def is_template(value: object) -> bool:
    """Whether *value* is a ``${…}`` template, which nothing here would fill in."""
    return isinstance(value, str) and _TEMPLATE.fullmatch(value) is not None


def mismatch(value: object, expected: str, **advice: str) -> MismatchError:
    """Describe a value of the wrong type.

    Args:
        value: What came; only its type is told.
        expected: What the type takes.
        advice: What to do, by the name of the type that came.
    """
    name = "None" if value is None else type(value).__name__
    if is_template(value):
        name = "a `${…}` template (connect the nodes instead)"
    elif name in advice:
        name = f"{name} ({advice[name]})"
    return MismatchError(name, expected)
