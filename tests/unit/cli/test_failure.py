"""How a command ends when it does not succeed."""

from __future__ import annotations

import pytest
import typer

from dataflow import errors
from dataflow.cli._failure import failing_in_one_line


def end(error: BaseException) -> int:
    """Raise *error* in a command and return the exit code of it."""
    with pytest.raises(typer.Exit) as caught, failing_in_one_line("stopped; go on"):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (errors.UrlError("x", "no scheme"), 2, "database URL 'x': no scheme"),
        (errors.DatabaseUnreachableError("no answer"), 2, "no answer"),
        (errors.QueryError("no table\n  HINT: none"), 2, "no table HINT: none"),
        (errors.ClosedError("it"), 1, "it is closed: make a new one"),
        (KeyboardInterrupt(), 130, "stopped; go on"),
    ],
)
def test_what_goes_wrong_on_purpose_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = end(error)

    assert ended == code
    assert capsys.readouterr() == ("", f"dataflow: {line}\n")


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), failing_in_one_line("stopped"):
        raise ZeroDivisionError


def test_what_succeeds_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with failing_in_one_line("stopped"):
        pass

    assert capsys.readouterr() == ("", "")
