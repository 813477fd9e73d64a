"""A room's `__init__` re-exports, sorted and in full, and does nothing else."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import dataflow

ROOMS = [
    "dataflow",
    *(
        module.name
        for module in pkgutil.walk_packages(dataflow.__path__, "dataflow.")
        if module.ispkg
    ),
]


def exported(room: ModuleType) -> list[str]:
    names: list[str] = list(room.__all__)
    return names


@pytest.mark.parametrize("name", ROOMS)
def test_the_names_of_a_room_are_sorted_and_there(name: str) -> None:
    room = import_module(name)
    names = exported(room)

    assert room.__doc__
    assert names == sorted(names, key=_in_order)
    assert len(set(names)) == len(names)
    assert all(hasattr(room, each) for each in names)


NEEDED = {"annotations", "Any", "Final", "TYPE_CHECKING", "import_module"}
"""What a room writes itself with that imports when it is asked."""


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_exports_all_that_it_imports_by_name(name: str) -> None:
    room = import_module(name)
    public = {
        each
        for each, value in vars(room).items()
        if not each.startswith("_")
        and each not in NEEDED
        and not isinstance(value, ModuleType)
    }

    assert public <= set(exported(room))


def _in_order(name: str) -> tuple[int, str]:
    """As ruff sorts: constants, classes, then the rest."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name
