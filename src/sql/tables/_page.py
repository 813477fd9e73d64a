"""A page of rows: a statement of which nothing but the values differ from call to call.

Its text is kept for each order, choice of columns, field and comparison: then a statement
takes 1 us to make, where compiling it takes 2 to 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from .._statement import Statement

__all__ = ["Page"]


@final
class Page:
    """Makes the statements of one shape.

    Args:
        text: What it says: with a place for the value, if there is one, and behind it
            one for the limit.
        decode: Makes values by name of rows.
        encode: Makes the parameter of a value, None if that is the value itself.
        short: Up to which limit a list is short.
    """

    __slots__ = ("_decode", "_encode", "_short", "_text")

    def __init__(
        self,
        text: str,
        decode: Callable[[Sequence[Any]], Sequence[Any]],
        *,
        encode: Callable[[Any], Any] | None,
        short: int,
    ) -> None:
        self._text = text
        self._decode = decode
        self._encode = encode
        self._short = short

    def statement(self, value: Any, limit: int, *, decoded: bool) -> Statement:  # noqa: ANN401  # as fields hold it
        """Select what compares with *value*, None where nothing is compared."""
        parameters: list[Any] = [limit]
        if value is not None:
            encode = self._encode
            parameters = [value if encode is None else encode(value), limit]
        return Statement(
            self._text,
            parameters,
            returns_rows=True,
            decode=self._decode if decoded else None,
            may_be_brief=limit <= self._short,
        )
