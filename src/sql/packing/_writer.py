"""Code that packs rows of one shape, written once per shape.

A row of the shape passes in one go; the code stops at the first that is not of it,
or that any check refuses. Rows are what costs: a loop over closures, one per column,
takes 2.3 times as long as this (seven columns, CPython 3.11).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, final

import msgspec

from ...models import MismatchError
from ._slot import NULL, WORDS, Slot

__all__ = ["NOW", "Layout", "Pack", "Shape", "write"]

NOW: Final = object()
"""Stands for the time of packing, among the values that are known before."""

_STOPS: Final = (
    KeyError,
    MismatchError,
    OverflowError,  # of `struct`, for single precision
    UnicodeEncodeError,
    struct.error,
)


class Pack(Protocol):
    """What is written: packs rows from *start* on, and returns where it stopped."""

    def __call__(
        self,
        rows: Sequence[Any],
        start: int,
        parts: list[Any],
        known: Sequence[Any],
        keys: Sequence[int],
    ) -> int:
        """Pack into *parts*; *known* has what `Layout.slotted` made, by column."""
        ...


class Shape(msgspec.Struct, frozen=True):
    """Where the value of each column comes from.

    Attributes:
        given: Columns that rows bring.
        made: Columns that a default factory makes for each row.
        reserved: The column whose values were reserved, or None.
        required: Columns that must not be None here, though they may be.
    """

    given: frozenset[str]
    made: frozenset[str] = frozenset()
    reserved: str | None = None
    required: frozenset[str] = frozenset()


@final
class Layout:
    """The columns of packed rows, in order, and how many parts a row has.

    Args:
        slots: The columns.
        is_binary: Whether a row is bytes for COPY, not a tuple of parameters.

    Attributes:
        names: The columns, in order.
        slots: The same with how they are packed.
        width: Parts of a row.
    """

    def __init__(self, slots: Sequence[Slot], *, is_binary: bool) -> None:
        self.slots = slots
        self.names = tuple(slot.field.name for slot in slots)
        self.is_binary = is_binary
        self.width = len(self._parts()[0]) if is_binary else 1

    def slotted(self, at: int, value: object) -> object:
        """Return a checked value as the column takes it; None for none."""
        return None if value is None else self.slots[at].of(value)

    def row(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the parts of one row, whose values were checked."""
        slotted = [self.slotted(at, values[name]) for at, name in enumerate(self.names)]
        if not self.is_binary:
            return [tuple(slotted)]
        whole = [struct.pack(">h", len(slotted))]
        for slot, value in zip(self.slots, slotted, strict=True):
            whole.append(_piece(slot, value))
        # The others stay empty, so that every row has as many.
        return [b"".join(whole), *([b""] * (self.width - 1))]

    def _parts(self) -> tuple[list[str], dict[str, Any]]:
        """Return the expressions of a row's parts, and what they name.

        Values of one size are packed together, with the lengths before the others.
        """
        parts: list[str] = []
        names: dict[str, Any] = {}
        run, arguments = ["h"], [str(len(self.slots))]

        def flush() -> None:
            if run == ["i"]:
                (length,) = arguments
                size = f"SIZES[{length}] if {length} < 4096 else size_of({length})"
                parts.append(size)
            elif run:
                name = f"pack{len(parts)}"
                names[name] = struct.Struct(f">{''.join(run)}").pack
                parts.append(f"{name}({', '.join(arguments)})")
            run.clear()
            arguments.clear()

        for at, slot in enumerate(self.slots):
            if slot.format and not slot.field.is_nullable:
                run += ("i", slot.format)
                star = "*" if len(slot.format) > 1 and slot.format.isalpha() else ""
                arguments += (str(slot.size), f"{star}x{at}")
            elif slot.format:
                flush()
                parts.append(f"x{at}")
            else:
                run.append("i")
                arguments.append(f"n{at}")
                flush()
                parts.append(f"x{at}")
        flush()
        return parts, names

    def code(self, shape: Shape) -> tuple[list[str], dict[str, Any]]:
        """Return the lines of a function that packs rows of *shape*."""
        names: dict[str, Any] = {**WORDS, "STOPS": _STOPS}
        known: list[str] = []
        lines: list[str] = []
        for at, slot in enumerate(self.slots):
            names.update(slot.names)
            names[f"name{at}"] = slot.field.name
            name = slot.field.name
            if name in shape.given:
                lines.append(f"x{at} = row[name{at}]")
                lines += self._filled(at, is_required=name in shape.required)
            elif name == shape.reserved:
                lines.append(f"x{at} = key")
            elif name in shape.made:
                names[f"make{at}"] = slot.field.default_value
                lines += (f"x{at} = make{at}()", *self._filled(at, is_required=False))
            else:
                known += self._known(at)
        if self.is_binary:
            parts, packers = self._parts()
            names.update(packers)
            for at, slot in enumerate(self.slots):
                if slot.format:
                    names[f"piece{at}"] = struct.Struct(f">i{slot.format}").pack
            lines.append(f"put(({', '.join(parts)},))")
        else:
            columns = "".join(f"x{at}, " for at in range(len(self.slots)))
            lines.append(f"put(({columns}))")
        return _function(known, lines, shape, self), names

    def _filled(self, at: int, *, is_required: bool) -> Iterator[str]:
        """Yield lines that make what the database takes of the value of a column."""
        slot = self.slots[at]
        lines = [line.format(x=f"x{at}") for line in slot.make]
        null = "pass"
        if self.is_binary and slot.format and slot.field.is_nullable:
            star = "*" if len(slot.format) > 1 and slot.format.isalpha() else ""
            lines.append(f"x{at} = piece{at}({slot.size}, {star}x{at})")
            null = f"x{at} = NULL"
        elif self.is_binary and not slot.format:
            lines.append(f"n{at} = len(x{at})")
            null = f"x{at} = b''; n{at} = -1"
        if slot.field.is_nullable:
            yield f"if x{at} is None: {'break' if is_required else null}"
            yield "else:"
            yield from (f"    {line}" for line in lines)
        else:
            yield from lines

    def _known(self, at: int) -> Iterator[str]:
        """Yield lines, before the loop, for a value that is the same in every row."""
        slot = self.slots[at]
        yield f"x{at} = known[{at}]"
        if self.is_binary and slot.format and slot.field.is_nullable:
            star = "*" if len(slot.format) > 1 and slot.format.isalpha() else ""
            pack = f"piece{at}({slot.size}, {star}x{at})"
            yield f"x{at} = NULL if x{at} is None else {pack}"
        elif self.is_binary and not slot.format:
            yield f"n{at} = -1 if x{at} is None else len(x{at})"
            yield f"x{at} = x{at} or b''"


def _piece(slot: Slot, value: Any) -> bytes:  # noqa: ANN401  # any slot's
    """Return one column with its length before it."""
    if value is None:
        return NULL
    if not slot.format:
        return struct.pack(">i", len(value)) + bytes(value)
    is_several: bool = value.__class__ is tuple
    arguments: tuple[Any, ...] = value if is_several else (value,)
    return struct.pack(f">i{slot.format}", slot.size, *arguments)


def _function(
    known: Collection[str], lines: Collection[str], shape: Shape, layout: Layout
) -> list[str]:
    loop = "for row in rest:"
    if shape.reserved is not None:
        loop = "for row, key in zip(rest, keys):"
    put = "extend" if layout.is_binary else "append"
    return [
        "def pack(rows, start, parts, known, keys):",
        f"    put = parts.{put}; before = len(parts)",
        *(f"    {line}" for line in known),
        # `islice` would step over all the rows before, at each change of shape.
        "    rest = iter(rows); rest.__setstate__(start)",
        "    try:",
        f"        {loop}",
        f"            if type(row) is not dict or len(row) != {len(shape.given)}: break",
        *(f"            {line}" for line in lines),
        "    except STOPS: pass",
        f"    return start + (len(parts) - before) // {layout.width}",
    ]


def write(layout: Layout, shape: Shape) -> Pack:
    """Write and return the code for rows of *shape*."""
    lines, names = layout.code(shape)
    # Of positions and fixed words alone, see `_slot`: nothing of a user is in it.
    exec("\n".join(lines), names)  # noqa: S102
    pack: Pack = names["pack"]
    return pack
