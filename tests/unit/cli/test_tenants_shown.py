"""How far a round through all tenants is, and how it goes on."""

from __future__ import annotations

from contextlib import suppress
from io import StringIO

import pytest
from rich.console import Console

from dataflow.cli._tenants_shown import tenants_shown

WAY_ON = "done up to {0}: --after {0} goes on"


def interrupted(*names: str, way_on: str = WAY_ON) -> str:
    """Return what a terminal shows of a round that is interrupted behind *names*."""
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with (
        suppress(KeyboardInterrupt),
        tenants_shown(console, way_on=way_on) as told,
    ):
        for number, name in enumerate(names, 1):
            told(name, number, 3)
        raise KeyboardInterrupt
    return out.getvalue()


def test_the_bar_names_the_tenant_that_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = interrupted("acme", "globex")

    assert "globex" in shown
    assert capsys.readouterr().err == "done up to globex: --after globex goes on\n"


def test_nothing_is_said_where_nothing_was_done_or_all_is_done_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted()
    interrupted("acme", way_on="")

    assert capsys.readouterr().err == ""
