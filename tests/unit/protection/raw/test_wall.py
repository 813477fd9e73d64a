"""What the wall says of things that were not judged beforehand."""

from __future__ import annotations

from dataflow.errors import UnknownModelError
from dataflow.protection.raw._statement import Access
from dataflow.protection.raw._wall import Wall
from dataflow.sql import Touch


def test_a_judge_that_cannot_say_refuses_in_its_own_words() -> None:
    error = UnknownModelError("Gone", ())

    def judge(access: Access) -> None:
        raise error

    wall = Wall([], {}, judge, ValueError)

    assert wall(Touch("delete", "gone")) is error
