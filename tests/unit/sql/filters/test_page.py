from __future__ import annotations

from pathlib import Path

from dataflow.sql import OPERATORS, QUANTIFIERS
from dataflow.sql.filters._page import ENTRIES, page
from dataflow.sql.filters._parse import CONNECTIVES

PAGE = Path(__file__).parents[4] / "docs" / "filters.md"


def test_every_operator_is_on_the_page_once() -> None:
    names = [entry.name for entry in ENTRIES]

    assert len(set(names)) == len(names)
    assert set(names) == {*OPERATORS, *CONNECTIVES, *QUANTIFIERS}


def test_every_example_shows_its_operator() -> None:
    assert all(f"'{entry.name}'" in repr(entry.example) for entry in ENTRIES)


def test_the_page_is_up_to_date() -> None:
    # python -m dataflow.sql.filters._page docs/filters.md
    assert PAGE.read_text(encoding="utf-8") == page()
