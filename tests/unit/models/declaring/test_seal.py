from __future__ import annotations

import pickle
from typing import Any

import pytest

from dataflow.errors import ModelError
from dataflow.models import InstanceError, declare, seal


def test_a_sealed_class_knows_its_model_and_makes_no_instances() -> None:
    class User:
        name: str

    model = declare(User)
    seal(User, model)
    user: Any = User

    assert user.__dataflow_model__ is model
    for arguments in ({}, {"name": "Ada"}):
        with pytest.raises(TypeError) as caught:
            user(**arguments)
        assert isinstance(caught.value, ModelError)
        assert str(caught.value) == (
            "User(...) makes no row: rows are made with db[User].create(...) or the "
            "node UserCreateNode"
        )


def test_a_class_may_be_declared_and_sealed_again() -> None:
    class User:
        name: str

    seal(User, declare(User))
    again = declare(User)
    seal(User, again)

    user: Any = User
    assert again.names == ("id", "name")
    assert user.__dataflow_model__ is again


def test_a_subclass_of_a_sealed_class_declares_its_own_model() -> None:
    class Person:
        name: str

    seal(Person, declare(Person))

    class User(Person):
        email: str

    assert declare(User).names == ("id", "name", "email")
    with pytest.raises(InstanceError, match=r"User\(\.\.\.\) makes no row"):
        User()


def test_the_error_pickles() -> None:
    error = pickle.loads(pickle.dumps(InstanceError("User")))  # noqa: S301

    assert (error.model, str(error)) == ("User", str(InstanceError("User")))
