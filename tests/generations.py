"""Models that change from one generation to the next, drawn by hypothesis.

A generation is two models: `Anything`, which changes in every way a model can, and
`Parent`, which it may refer to. A column is known by its slot: its name and its type
may change, and the value of a row in it is followed by the slot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import msgspec
from evolving import model
from hypothesis import strategies as st

from dataflow.models import Digits, NaiveDatetime, field

__all__ = ["Generation", "Slot", "generations", "is_same_value", "rows"]

MONEY: Final = Annotated[Decimal, Digits(10, 2)]
FINE: Final = Annotated[Decimal, Digits(12, 4)]
SHORT: Final = Annotated[Decimal, Digits(4, 1)]

NAMES: Final = ("a", "b", "order", "Größe", "camelCase", "x" * 50, "%s", 'q"uote')
BECOMES: Final[Mapping[Any, tuple[Any, ...]]] = {
    int: (float, str, Decimal, MONEY),
    bool: (int,),
    float: (int,),
    Decimal: (int, str, MONEY),
    MONEY: (Decimal, FINE, SHORT, str),
    FINE: (MONEY,),
    SHORT: (FINE, MONEY),
    str: (int, Decimal),
    date: (str, datetime),
    UUID: (str,),
    NaiveDatetime: (datetime,),
    datetime: (),
    bytes: (),
}
"""Types, and those that both databases make of them without guessing."""

VALUES: Final[Mapping[Any, tuple[Any, ...]]] = {
    int: (-3, 0, 2**53 + 1, 123_456_789_012),
    bool: (True, False),
    float: (1.5, -2.0, 1e300),
    Decimal: (Decimal("1.50"), Decimal(7), Decimal("123456789.125")),
    MONEY: (Decimal("1.50"), Decimal("99999999.99"), Decimal(3)),
    FINE: (Decimal("1.5000"), Decimal("0.0001")),
    SHORT: (Decimal("1.5"), Decimal("999.9")),
    str: ("12", "-0.5", "it's \\ 100%", "007", ""),
    date: (date(2024, 2, 29), date(1, 1, 1)),
    datetime: (datetime(2024, 2, 29, 12, 30, tzinfo=UTC),),
    NaiveDatetime: (
        datetime(2024, 2, 29, 12, 30, 15, 250_000),  # noqa: DTZ001
        datetime(1970, 1, 1),  # noqa: DTZ001
    ),
    UUID: (UUID(int=7),),
    bytes: (b"\x00'", b""),
}
DEFAULTS: Final[Mapping[Any, Any]] = {
    each: found[0] for each, found in VALUES.items() if each is not datetime
}
FACTORIES: Final[Mapping[Any, Any]] = {UUID: uuid4, int: lambda: 5, str: lambda: "made"}
ACTIONS: Final = ("no_action", "restrict", "cascade", "set_null")


class Slot(msgspec.Struct, frozen=True):
    """One column through the generations.

    Attributes:
        name: What it is called now.
        type: What it holds now.
        is_nullable: Whether it may be NULL.
        way: What rows get: ``none``, ``constant`` or ``factory``.
        before: What it was called in the generation before, or None.
    """

    name: str
    type: Any
    is_nullable: bool
    way: str
    before: str | None = None


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """Two models, as they are declared once.

    Attributes:
        table: Name of the table of `Anything`.
        before: Its name in the generation before, or None.
        slots: Columns by their numbers.
        is_paired: Whether the keys are pairs of columns rather than generated.
        action: What a delete of a parent does; None without a foreign key.
        uniques: Groups of slots that are unique.
        indexes: Groups of slots that have an index.
        options: Of ``__dataflow__``.
    """

    table: str
    before: str | None
    slots: dict[int, Slot]
    is_paired: bool
    action: str | None
    uniques: list[list[int]]
    indexes: list[list[int]]
    options: dict[str, Any]

    @property
    def parents(self) -> str:
        """Name of the table of `Parent`."""
        return "Parents %"

    def classes(self) -> tuple[type, type]:
        """Return classes that declare `Parent` and `Anything`."""
        key: dict[str, Any] = {"primary_key": ["k1", "k2"]} if self.is_paired else {}
        parent = {"table_name": self.parents, **key}
        options = {"table_name": self.table, **key, **self.options}
        if self.before is not None:
            options["renamed_from"] = self.before
        options["unique"] = [*self._groups(self.uniques), ["k1"]]
        options["indexes"] = [*self._groups(self.indexes)]
        fields: dict[str, Any] = {"k1": int, "k2": str}
        fields |= dict(map(_declared, self.slots.values()))
        fields |= {"ref1": int | None, "ref2": str | None}
        if self.action is not None:
            facts: dict[str, Any] = {"on_delete": self.action, "relation": "up"}
            if self.is_paired:
                group = {"fields": ["ref1", "ref2"], "references": "Parent", **facts}
                options["foreign_keys"] = [group]
            else:
                fields["ref1"] = int | None, field(references="Parent", **facts)
        return (
            model("Parent", k1=int, k2=str, __dataflow__=parent),
            model("Anything", **fields, __dataflow__=options),
        )

    def _groups(self, groups: list[list[int]]) -> Iterator[list[str]]:
        for group in groups:
            names = [self.slots[each].name for each in group if each in self.slots]
            if names:
                yield names


def _declared(slot: Slot) -> tuple[str, Any]:
    more: dict[str, Any] = {}
    if slot.before is not None:
        more["renamed_from"] = slot.before
    if slot.way == "constant":
        more["default"] = DEFAULTS[slot.type]
    if slot.way == "factory":
        more["default_factory"] = FACTORIES[slot.type]
    annotation = slot.type | None if slot.is_nullable else slot.type
    return slot.name, (annotation, field(**more)) if more else annotation


@st.composite
def generations(draw: st.DrawFn, size: int) -> list[Generation]:
    """Draw generations, each with the one before it in mind."""
    found = [_first(draw)]
    while len(found) < size:
        found.append(_following(draw, found[-1]))
    return found


@st.composite
def rows(draw: st.DrawFn, generation: Generation, size: int) -> list[dict[str, Any]]:
    """Draw rows of `Anything`, as its slots have it, by their names."""
    return [
        {slot.name: draw(_values(slot)) for slot in generation.slots.values()}
        for _ in range(size)
    ]


def _first(draw: st.DrawFn) -> Generation:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    slots = {number: _slot(draw, name) for number, name in enumerate(names)}
    return _generation(draw, "Table %", None, slots, list(slots))


def _slot(draw: st.DrawFn, name: str) -> Slot:
    type_ = draw(st.sampled_from([*BECOMES]))
    is_nullable, way = _ways(draw, type_)
    return Slot(name, type_, is_nullable, way)


def _ways(draw: st.DrawFn, type_: Any) -> tuple[bool, str]:
    """Draw whether it may be NULL, and what rows get; they get something."""
    ways = ["none"]
    ways += ["constant"] if type_ in DEFAULTS else []
    ways += ["factory"] if type_ in FACTORIES else []
    way = draw(st.sampled_from(ways))
    return way == "none" or draw(st.booleans()), way


def _following(draw: st.DrawFn, old: Generation) -> Generation:
    slots: dict[int, Slot] = {}
    free = [name for name in NAMES if name not in {s.name for s in old.slots.values()}]
    for number, slot in old.slots.items():
        if draw(st.sampled_from([True, True, True, True, False])):
            slots[number] = _later(draw, slot, free)
    is_growing: bool = draw(st.booleans())
    if free and is_growing:
        slots[max(old.slots, default=0) + 1] = _slot(draw, free.pop())
    table, before = old.table, None
    if draw(st.sampled_from([True, False, False])):
        table, before = f"{old.table}'", old.table
    return _generation(draw, table, before, slots, list(slots))


def _later(draw: st.DrawFn, slot: Slot, free: list[str]) -> Slot:
    name, before, type_ = slot.name, None, slot.type
    if free and draw(st.sampled_from([True, False, False])):
        name, before = free.pop(0), slot.name
    others = BECOMES[type_]
    if others and draw(st.sampled_from([True, False])):
        type_ = draw(st.sampled_from(others))
    is_nullable, way = _ways(draw, type_)
    return Slot(name, type_, is_nullable, way, before)


def _generation(
    draw: st.DrawFn,
    table: str,
    before: str | None,
    slots: dict[int, Slot],
    numbers: list[int],
) -> Generation:
    groups: Any = st.just([])
    if numbers:
        group = st.lists(st.sampled_from(numbers), min_size=1, max_size=2, unique=True)
        groups = st.lists(group, max_size=2)
    options = {
        name: True
        for name in ("soft_delete", "versioned", "timestamps", "multi_tenant")
        if draw(st.sampled_from([True, False, False]))
    }
    levels = st.sampled_from(["off", "off", "changes", "full"])
    return Generation(
        table=table,
        before=before,
        slots=slots,
        is_paired=draw(st.sampled_from([True, False, False])),
        action=draw(st.sampled_from([None, *ACTIONS])),
        uniques=draw(groups),
        indexes=draw(groups),
        options={**options, "audit": draw(levels)},
    )


def _values(slot: Slot) -> st.SearchStrategy[Any]:
    found = st.sampled_from(VALUES[slot.type])
    return st.none() | found if slot.is_nullable else found


def is_same_value(old: Any, new: Any) -> bool:
    """Whether a value is what it was, though it may be of another type."""
    return bool(_plain(old) == _plain(new))


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | float():
            return Decimal(value)
        case str():
            return _number(value)
        case datetime():
            naive = (
                value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            )
            text = naive.isoformat()
            return text.removesuffix("T00:00:00")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value


def _number(text: str) -> Any:
    """Return a number if the text is how one is written."""
    try:
        number = Decimal(text)
        return number if format(number, "f") == text else text
    except ArithmeticError:
        return text
