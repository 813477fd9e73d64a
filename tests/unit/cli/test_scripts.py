"""The scripts: they run under any POSIX shell, and say what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "script").iterdir())
TOOLS = ("awk", "basename", "cat", "cksum", "dirname", "mkdir", "rm", "sh")

NO_VENV = """#!/bin/sh
# A Python of Debian without its package python3-venv.
case $* in
    *ensurepip*) exit 1 ;;
    *_base_executable*) echo "$0" ;;
    *) echo 3.11 ;;
esac
"""

BROKEN_SHIM = """#!/bin/sh
echo "pyenv: python3.13: command not found" >&2
exit 127
"""

FAILING_PIP = """#!/bin/sh
# A Python that makes environments, in which pip cannot install.
case $* in
    *_base_executable*) echo "$0" ;;
    *"-m venv"*)
        mkdir "$3/bin"
        cp "$0" "$3/bin/python"
        ;;
    *"-m pip"*) echo "ERROR: no network" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout with the scripts and a PATH without any Python."""
    folder = tmp_path / "a checkout"
    shutil.copytree(ROOT / "script", folder / "script")
    (folder / "compat").mkdir()
    (folder / "compat/pyproject.toml").touch()
    (folder / "pyproject.toml").touch()
    (folder / "bin").mkdir()
    for tool in (*TOOLS, "cp"):
        path = shutil.which(tool)
        assert path is not None
        (folder / "bin" / tool).symlink_to(path)
    return folder


def add(checkout: Path, name: str, text: str) -> Path:
    """Put a program on the PATH of *checkout*."""
    program = checkout / "bin" / name
    program.write_text(text)
    program.chmod(0o755)
    return program


def run(
    checkout: Path, name: str = "demo", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script as it is run from elsewhere on a bare machine."""
    return subprocess.run(  # noqa: S603  # our own scripts
        [str(checkout / "script" / name)],
        cwd="/",
        env={"PATH": str(checkout / "bin"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_posix_and_executable_unless_it_is_sourced(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)  # noqa: S603, S607

    is_sourced = script.name.startswith("_")
    assert os.access(script, os.X_OK) != is_sourced
    assert is_sourced or script.read_text().startswith("#!/bin/sh\n")


def test_ci_runs_what_developers_run() -> None:
    script = ROOT / ".ci/run"
    subprocess.run(["bash", "-n", str(script)], check=True)  # noqa: S603, S607

    assert os.access(script, os.X_OK)
    assert "script/test script/lint" in script.read_text()


@pytest.mark.parametrize("name", ["test", "lint", "demo", "bench"])
def test_without_a_python_it_says_which_are_wanted(checkout: Path, name: str) -> None:
    add(checkout, "python3.13", BROKEN_SHIM)
    ended = run(checkout, name)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"script/{name}: no Python 3.11, 3.12 or 3.13 here")
    assert "apt-get install python3 python3-venv" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_named_is_the_only_one_tried(checkout: Path) -> None:
    (checkout / "bin/python3").symlink_to(sys.executable)
    ended = run(checkout, DATAFLOW_PYTHON="/no/python")

    assert ended.returncode == 1
    assert "(tried: /no/python)" in ended.stderr


def test_without_ensurepip_it_names_the_package_of_debian(checkout: Path) -> None:
    add(checkout, "python3.11", NO_VENV)
    ended = run(checkout)

    assert ended.returncode == 1
    assert "cannot make environments, it lacks `ensurepip`" in ended.stderr
    assert "apt-get install python3.11-venv" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_when_pip_fails_it_says_so_and_goes_on_there_the_next_time(
    checkout: Path,
) -> None:
    add(checkout, "python3", FAILING_PIP)
    first = run(checkout)
    kept = checkout / ".venv/kept"
    kept.touch()
    second = run(checkout)

    for ended in (first, second):
        assert ended.returncode == 1
        assert "ERROR: no network\n" in ended.stderr
        assert "check the network" in ended.stderr
    assert kept.exists()


def test_after_an_interruption_it_starts_afresh(checkout: Path) -> None:
    add(checkout, "python3", FAILING_PIP)
    run(checkout)
    left = checkout / ".venv/dataflow.unfinished"
    left.touch()
    ended = run(checkout)

    assert "making .venv" in ended.stderr
    assert not left.exists()
