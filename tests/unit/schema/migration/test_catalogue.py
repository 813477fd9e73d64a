"""The catalogue of risks is what the guide prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataflow.schema.migration import Risk, TableFacts, as_markdown
from dataflow.schema.migration.writing import CATALOGUES

GUIDE = Path(__file__).parents[4] / "docs" / "migrations.md"


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_the_guide_prints_the_catalogue(dialect: str) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    printed = re.search(
        rf"<!-- catalogue: {dialect} -->\n(.*?)<!-- end -->", guide, re.DOTALL
    )

    assert printed is not None
    assert printed[1].strip() == as_markdown(dialect)


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_what_is_risky_says_what_is_safer(dialect: str) -> None:
    silent = [
        name
        for name, each in CATALOGUES[dialect].items()
        if each.risk is Risk.CRITICAL and not each.alternative
    ]

    assert silent == []
    assert all(each.reason for each in CATALOGUES[dialect].values())


def test_a_large_table_raises_the_risk_of_what_takes_long() -> None:
    rebuild = CATALOGUES["sqlite"]["rebuild"]

    assert rebuild.risk_for(TableFacts(rows=10)) is Risk.MEDIUM
    assert rebuild.risk_for(TableFacts(rows=100_000)) is Risk.HIGH
    assert Risk.CRITICAL.raised() is Risk.CRITICAL
