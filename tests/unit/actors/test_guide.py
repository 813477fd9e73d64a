from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataflow.actors.supervision._snapshot import TRANSITIONS, Signal, State

GUIDE = (Path(__file__).parents[3] / "docs" / "actors.md").read_text()

EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_guide_runs_as_it_is(number: int) -> None:
    code = compile(EXAMPLES[number], f"example {number}", "exec", dont_inherit=True)
    exec(code, {"__name__": "__main__"})  # noqa: S102  our own page


def test_the_guide_has_examples() -> None:
    assert EXAMPLES


def test_the_table_of_states_in_the_guide_is_the_one_that_runs() -> None:
    lines = [f"| state | {' | '.join(Signal)} |", f"|{'---|' * (len(Signal) + 1)}"]
    for state in State:
        cells = [TRANSITIONS.get((state, signal)) for signal in Signal]
        row = "".join(f" `{cell}` |" if cell else " |" for cell in cells)
        lines.append(f"| `{state}` |{row}")

    assert "\n".join(lines) in GUIDE
