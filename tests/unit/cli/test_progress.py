"""The progress bar of the demo."""

from __future__ import annotations

import pytest

from dataflow.cli.demo._command import _progress


def test_a_bar_counts_to_the_number_of_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with _progress(7, is_shown=True) as on_progress:
        on_progress(3)
        on_progress(4)

    out, err = capsys.readouterr()
    assert out == ""
    assert "7/7" in err


def test_without_a_bar_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with _progress(7, is_shown=False) as on_progress:
        on_progress(7)

    assert capsys.readouterr() == ("", "")
