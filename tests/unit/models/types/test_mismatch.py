from __future__ import annotations

import pickle

import pytest

from dataflow.models import MismatchError, is_template


@pytest.mark.parametrize("value", ["${a.b}", " ${create.id} ", "${}"])
def test_a_whole_text_in_dollar_braces_is_a_template(value: str) -> None:
    assert is_template(value)


@pytest.mark.parametrize(
    "value", ["a ${b}", "${a", "$a", "", "${a}${b}", 5, None, b"${a}"]
)
def test_anything_else_is_not(value: object) -> None:
    assert not is_template(value)


def test_a_mismatch_pickles() -> None:
    error = pickle.loads(pickle.dumps(MismatchError("str", "int", ".a")))  # noqa: S301

    assert (error.came, error.expected, error.path) == ("str at .a", "int", ".a")
