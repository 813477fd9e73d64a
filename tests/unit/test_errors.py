from __future__ import annotations

import inspect
import pickle

import pytest

from dataflow import errors
from dataflow.errors import DataFlowError, DriverError

FACTS: dict[str, object] = {
    "attempts": 3,
    "chain": ("/a", "/b"),
    "fields": ("email",),
    "idle_s": 60.0,
    "key": ("id",),
    "known": ("UserCreateNode", "UserReadNode"),
    "limit": "waiting",
    "nodes": ("a", "b"),
    "problems": {"acme": "no room"},
    "restarts": 3,
    "retry_after": 0.5,
    "window_s": 5.0,
}
CLASSES = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, DataFlowError)
]


def example(kind: type[DataFlowError]) -> DataFlowError:
    """Return an error whose facts are their own names, where a text will do."""
    if kind is DataFlowError or not hasattr(kind.__init__, "__code__"):
        return kind("fact")
    names = list(inspect.signature(kind.__init__).parameters)[1:]
    return kind(*(FACTS.get(name, name) for name in names))


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickling_with_its_facts_and_its_text(
    kind: type[DataFlowError],
) -> None:
    error = example(kind)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own

    assert type(copy) is kind
    assert str(copy) == str(error) != ""
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("kind", [k for k in CLASSES if issubclass(k, DriverError)])
def test_a_driver_error_says_whether_to_try_again(kind: type[DriverError]) -> None:
    assert isinstance(kind.retryable, bool)


def test_the_names_are_sorted_and_all_there() -> None:
    names = {kind.__name__ for kind in CLASSES}

    assert errors.__all__ == sorted(errors.__all__)
    assert names == {each for each in errors.__all__ if each != "nearest"}


def test_the_nearest_name_ignores_case_and_may_be_none() -> None:
    assert errors.nearest("usercreatnode", ["UserCreateNode"]) == "UserCreateNode"
    assert errors.nearest("x", ["UserCreateNode"]) is None


def test_without_a_near_name_all_valid_ones_are_told() -> None:
    assert "valid names are a, b" in str(errors.UnknownModelError("zzz", ("a", "b")))
    assert "there are none" in str(errors.UnknownModelError("zzz", ()))
