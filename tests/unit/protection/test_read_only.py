from __future__ import annotations

import pytest

from dataflow.actors import Turn
from dataflow.errors import WriteBlockedError
from dataflow.messages import Envelope, Message, Operation, Request
from dataflow.protection import ReadOnly


def envelope(operation: Operation, model: str = "User") -> Envelope:
    node = f"{model}Node"
    request = Request(node=node, model=model, operation=operation, parameters={})
    return Envelope(message=request)


async def passed(layer: ReadOnly, *envelopes: Envelope) -> list[Envelope]:
    """Return the envelopes that got through the layer."""
    seen: list[Envelope] = []

    async def handler(turn: Turn) -> None:
        seen.extend(turn)

    await layer(Turn("/nodes/UserNode", envelopes), handler)
    return seen


@pytest.mark.parametrize("operation", list(Operation))
async def test_only_what_cannot_write_passes(operation: Operation) -> None:
    message = envelope(operation)
    seen = await passed(ReadOnly(), message)

    assert bool(seen) is not operation.is_write
    assert isinstance(message.error, WriteBlockedError) is operation.is_write


async def test_a_refused_message_does_not_fail_its_neighbours() -> None:
    write, read = envelope(Operation.CREATE), envelope(Operation.READ)

    assert await passed(ReadOnly(), write, read) == [read]
    assert isinstance(write.error, WriteBlockedError)
    assert read.error is None


async def test_models_that_are_not_named_may_be_written() -> None:
    user, order = envelope(Operation.DELETE), envelope(Operation.DELETE, "Order")

    assert await passed(ReadOnly(["User"]), user, order) == [order]


async def test_raw_sql_is_refused_whatever_models_are_named() -> None:
    assert await passed(ReadOnly(["User"]), envelope(Operation.SQL, "*")) == []


async def test_messages_of_other_kinds_pass() -> None:
    other = Envelope(message=Message())

    assert await passed(ReadOnly(), other) == [other]


async def test_the_refusal_names_rule_reason_operation_and_model() -> None:
    message = envelope(Operation.BULK_DELETE)
    await passed(ReadOnly(reason="stocktaking"), message)

    assert str(message.error) == (
        "ReadOnly (stocktaking) refused bulk_delete on User: "
        "lift the rule, or only read"
    )


def test_a_single_name_instead_of_a_collection_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"use \['User'\]"):
        ReadOnly("User")
