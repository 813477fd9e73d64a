from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dataflow.sql.filters.operators._fold import (
    folded_like,
    folded_pattern,
    folded_text,
)
from dataflow.sql.filters.operators._regex import in_re2, problem

re2: Any = import_module("re2")  # it has no types


def options() -> Any:
    made = re2.Options()
    made.dot_nl = True
    return made


def finds(pattern: str, text: str) -> bool:
    return re2.compile(in_re2(pattern), options()).search(text) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a1", "[Aa]1"),
        ("k", "[Kk\u212a]"),
        ("Σ", "[Σς\u03c3]"),
        ("ß", "[ßẞ]"),
        ("İ\u0131", "İ\u0131"),
        ("a.b", r"[Aa]\.[Bb]"),
        ("^$[]", r"\^\$\[\]"),
        ("\U00010400", "[\U00010400\U00010428]"),
    ],
)
def test_a_letter_becomes_the_bracket_of_its_cases(text: str, expected: str) -> None:
    assert folded_text(text) == expected


@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("", "^$"),
        ("a%_", "^[Aa].*.$"),
        ("%%%", "^.*$"),
        ("1__1", "^1..1$"),
        (r"\%\a\\", r"^%[Aa]\\$"),
        ("%.*", r"^.*\.\*$"),
    ],
)
def test_a_like_pattern_becomes_a_regular_expression(like: str, expected: str) -> None:
    assert folded_like(like) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.b", "[Aa].[Bb]"),
        ("^a|b$", "^[Aa]|[Bb]$"),
        (r"\w\.", r"\w\."),
        ("[a-c]", "[a-cA-C]"),
        ("[^-a]", "[^-aA]"),
        ("[a-]", "[aA-]"),
        ("[]b]", "[]bB]"),
        ("[A-z]", "[A-z\u017f\u212a]"),
        (r"[\d+-\.]", r"[\d+-\.]"),
        ("(a){2}", "([Aa]){2}"),
    ],
)
def test_a_pattern_finds_its_letters_in_any_case(pattern: str, expected: str) -> None:
    assert folded_pattern(pattern) == expected


# Not the classes \d, \w and \s: they mean ASCII, in any case.
PIECES = st.lists(st.sampled_from([
    "a", "K", "ß", ".", "^", "$", "|", "(", ")", "[ab]", "[^a-c]", "[]a]", "[a-\U0001f600]",
    "*", "+?", "{2}", r"\.", "[-k]", "[s-]", r"[\]a]", "é", "1",
])).map("".join)  # fmt: skip


@given(pattern=PIECES, text=st.text("aAkK\u212asS\u017fßẞéÉ1b.]-", max_size=5))
def test_the_case_of_a_text_makes_no_difference(pattern: str, text: str) -> None:
    assume(problem(pattern) is None)
    folded = folded_pattern(pattern)
    # Where case is folded one letter by one, both sides of it are found alike.
    swapped = "".join(
        each.swapcase() if len(each.swapcase()) == 1 else each for each in text
    )

    assert finds(folded, text) == finds(folded, swapped)
    if finds(pattern, text) and "[^" not in pattern:
        assert finds(folded, text)


def test_folding_is_quick() -> None:
    folded_text("warm")
    start = time.perf_counter()
    folded_text("é" * 1000)
    folded_pattern("[\x01-\U0010ffff]" * 20)

    assert time.perf_counter() - start < 2
