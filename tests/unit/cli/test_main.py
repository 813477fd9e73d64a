"""The way into the command line."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from dataflow.cli import main
from dataflow.cli._app import app

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Absent())
from dataflow.cli import main
main()
"""


def run_without(package: str) -> subprocess.CompletedProcess[str]:
    """Run the command where *package* is not installed."""
    return subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-c", WITHOUT.format(package=package), "demo"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize("package", ["rich", "typer"])
def test_without_the_extra_one_line_says_how_to_install_it(package: str) -> None:
    ended = run_without(package)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "dataflow: the dataflow command needs an optional package: "
        "pip install 'dataflow-actors[cli]'\n"
    )


@pytest.mark.slow
def test_another_missing_package_is_not_blamed_on_the_extra() -> None:
    ended = run_without("msgspec")

    assert "ModuleNotFoundError: No module named 'msgspec'" in ended.stderr


@pytest.mark.slow
def test_the_package_runs_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "dataflow", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ended.stdout == f"dataflow {version('dataflow-actors')}\n"
    assert ended.stderr == ""


def test_the_missing_extra_is_told_in_this_process_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "dataflow.cli._app")
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "dataflow-actors[cli]" in capsys.readouterr().err


def test_another_missing_module_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "dataflow.cli._app")
    monkeypatch.setitem(sys.modules, "dataflow.cli.demo", None)
    with pytest.raises(ModuleNotFoundError, match=r"dataflow\.cli\.demo"):
        main()


def test_both_ways_in_end_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dataflow", "--version"])
    with pytest.raises(SystemExit) as by_name:
        main()
    with pytest.raises(SystemExit) as by_module:
        runpy.run_module("dataflow", run_name="__main__")

    assert not by_name.value.code
    assert not by_module.value.code
    line = f"dataflow {version('dataflow-actors')}\n"
    assert capsys.readouterr().out == line + line


def test_version_is_that_of_the_distribution() -> None:
    ended = CliRunner().invoke(app, ["--version"])

    assert ended.exit_code == 0
    assert ended.stdout == f"dataflow {version('dataflow-actors')}\n"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["demo", "--limit", "0"], ["demo", "x"]]
)
def test_a_wrong_command_line_ends_with_2_and_no_traceback(
    arguments: list[str],
) -> None:
    ended = CliRunner().invoke(app, arguments)

    assert ended.exit_code == 2
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
