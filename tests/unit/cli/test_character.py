"""The rows of the demo."""

from __future__ import annotations

import unicodedata

import pytest

from dataflow.cli.demo._character import characters, code_points


def test_a_row_says_what_python_knows() -> None:
    nine = list(characters(0x3A))[-1]

    assert nine == {
        "code_point": 0x39,
        "name": "DIGIT NINE",
        "category": "Nd",
        "bidirectional": "EN",
        "decimal": 9,
        "east_asian_width": "Na",
        "mirrored": False,
        "decomposition": "",
    }


def test_a_character_without_a_name_is_called_a_control() -> None:
    names = [row["name"] for row in characters(0x21)]

    assert names == ["<control>"] * 0x20 + ["SPACE"]


def test_a_limit_takes_the_first_in_order() -> None:
    assert list(code_points(3)) == [0, 1, 2]
    assert [row["code_point"] for row in characters(3)] == [0, 1, 2]


@pytest.mark.slow
def test_all_characters_can_be_stored_as_text() -> None:
    rows = list(characters())

    keys = [row["code_point"] for row in rows]
    texts = [value for row in rows for value in row.values() if isinstance(value, str)]
    assert len(rows) == sum(1 for _ in code_points()) > 140_000
    assert keys == sorted(set(keys))
    assert not any(unicodedata.category(chr(key)) == "Cs" for key in keys)
    assert not any("\0" in text for text in texts)
    "".join(texts).encode()  # strict: no surrogates
