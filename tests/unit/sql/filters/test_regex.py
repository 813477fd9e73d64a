from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import pytest

from dataflow.sql.filters.operators._regex import (
    MAX_CHOICES,
    MAX_PATTERN_LENGTH,
    MAX_SIZE,
    in_re2,
    problem,
)

re2: Any = import_module("re2")  # it has no types

ACCEPTED = [
    "", "a", "é\U0001f600", "a.c", "^a$", "a|b", "|", "a||b", "(a)", "(?:a)", "()", "(?:)", "(|a)",
    "(^|x)y", "a*", "a+", "a?", "a*?", "a+?", "a??", "a{2}", "a{2,}", "a{2,3}", "a{2,3}?", "a{0}",
    "a{255}", "[ab]", "[^ab]", "[a-z]", "[a-]", "[-a]", "[^-a]", "[]a]", "[^]a]", "[]-a]", "[[]",
    "[a^]", r"[\d]", r"[^\w]", r"[\s-]", r"[\]]", r"[\-a]", r"[a\-z]", r"[+-\.]", "[*-+]", r"\d\w\s",
    r"\D\W\S", r"\.", r"\\", r"\^\$\|\?\*\+\(\)\[\]\{\}", r"\-\_\/\ ", "a,b", "a-b", "<&>", "'; --",
    "(a(b(c)*)+)?", "(a+)+$", "x{0,255}", ".{255}.{255}", "[0-9a-f]{64}", "(a|b|c){99}", "\n", "$1",
    "(x?){29}", "[a-\U0001f600]", "^^", "a$b",
]  # fmt: skip
REFUSED = {
    # not read alike, or by one of them only
    r"\b": "escape", r"\y": "escape", r"\A": "escape", r"\Z": "escape", r"\1": "escape",
    r"(a)\1": "escape", r"\x41": "escape", r"\u0041": "escape", r"\n": "escape", r"\t": "escape",
    r"\pL": "escape", r"\Q": "escape", r"\é": "escape", "\\\n": "escape", r"[\b]": "escape",
    "(?i)a": "not supported", "(?=a)": "not supported", "(?!a)": "not supported",
    "(?<=a)": "not supported", "(?P<n>a)": "not supported", "(?#a)": "not supported",
    "(?x) a": "not supported", "***=a": "repeats nothing", "***:a": "repeats nothing",
    "(*a)": "not supported", "a{,3}": "not supported", "{": "not supported", "a{": "not supported",
    "a}": "not supported", "a]": "not supported", "a{1234}": "not supported", "a{٣}": "not supported",
    "[[:alpha:]]": "named classes", "[[.a.]]": "named classes", "[[=a=]]": "named classes",
    r"[\D]": "inside a bracket", r"[^\W]": "inside a bracket", r"[a\S]": "inside a bracket",
    "[a-c-e]": "no range", r"[\d-z]": "holds nothing", r"[a-\d]": "holds nothing",
    "[a--]": "no range", "[+--]": "no range", "[--a]": "no range", "[z-a]": "holds nothing",
    r"[\.-\+]": "holds nothing",
    # mistakes
    "\\": "not supported", "a\\": "not supported", "[": "not supported", "[]": "not closed, or empty",
    "[^]": "not closed, or empty", "[a": "not supported", "(": "not closed", "((a)": "not closed",
    ")": "closes no group", "a)": "closes no group", "*": "repeats nothing", "a|*": "repeats nothing",
    "(*)": "not supported", "(?)": "not supported", "(+)": "repeats nothing", "a**": "repeats nothing",
    "a+*": "repeats nothing", "a{2}{3}": "repeats nothing", "a???": "repeats nothing",
    "^*": "repeats nothing", "$+": "repeats nothing", "{2}": "repeats nothing",
    "a{3,2}": "valid count", "a{256}": "valid count", "a{1,256}": "valid count", "a{2,0}": "valid count",
    # what PostgreSQL takes seconds to compile
    "(^)*": "repeats an anchor", "(^|a)+": "repeats an anchor", "((a$)){2}": "repeats an anchor",
    "(x?){31}": "quantifiers", "((x?){31}){31}": "quantifiers", "(a*|b*|c*){100}": "quantifiers",
    "(|a){31}": "quantifiers", "(){31}": "quantifiers", "((a{0,9}){0,9}){0,9}": "quantifiers",
    "(x{0,40})*": "quantifiers", ".*" * 31: "quantifiers", "(x{255}){4}": "characters",
    "(.{100}){11}": "characters",
    "a" * (MAX_PATTERN_LENGTH + 1): "at most 1000 characters",
}  # fmt: skip


@pytest.mark.parametrize("pattern", ACCEPTED, ids=ascii)
def test_a_pattern_that_both_read_alike_is_accepted_and_compiles(pattern: str) -> None:
    assert problem(pattern) is None
    re2.compile(in_re2(pattern))


@pytest.mark.parametrize(
    ("pattern", "why"), REFUSED.items(), ids=lambda each: ascii(each)[:30]
)
def test_a_pattern_outside_the_common_subset_is_refused(pattern: str, why: str) -> None:
    said = problem(pattern)

    assert said is not None
    assert why in said


def test_the_limits_are_reached_before_they_are_passed() -> None:
    assert problem("(x?)" + "y?" * (MAX_CHOICES - 1)) is None
    assert problem("(x?)" + "y?" * MAX_CHOICES) is not None
    assert problem(f"x{{250}}y{{250}}z{{250}}x{{{MAX_SIZE - 750}}}") is None
    assert problem(f"x{{250}}y{{250}}z{{250}}x{{{MAX_SIZE - 749}}}") is not None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"a\s", r"a[\s\v]"),
        (r"\S+", r"[^\s\v]+"),
        (r"[a\s]", r"[a\s\v]"),
        (r"[^\s\d]", r"[^\s\v\d]"),
        (r"\\s", r"\\s"),
        (r"[\\s]", r"[\\s]"),
        (r"\[\s]?", r"\[[\s\v]]?"),
        (r"[]\s]", r"[]\s\v]"),
        ("abc", "abc"),
    ],
)
def test_re2_is_told_that_a_vertical_tab_is_white_space(
    pattern: str, expected: str
) -> None:
    assert in_re2(pattern) == expected


def test_a_pattern_is_judged_quickly() -> None:
    start = time.perf_counter()
    for pattern in (
        "(" * 1000,
        "[" + "\\" * 998,
        "(a" * 300 + ")*" * 190,
        "[a-" * 333,
        "a?" * 500,
    ):
        problem(pattern)

    assert time.perf_counter() - start < 2
