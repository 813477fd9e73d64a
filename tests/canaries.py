"""Persons whose every value is told from any other, and where it must not turn up."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

from dataflow import PII, DataFlow, field

CANARY = "CANARY"


def declare(db: DataFlow) -> None:
    @db.model
    class Person:
        code: int = field(primary_key=True)
        mail: Annotated[str, PII("email")] = field(unique=True)
        name: Annotated[str, PII("name")]
        age: Annotated[int | None, PII("age")]
        tags: Annotated[list[str], PII("tags")] = field(default_factory=list)
        more: Annotated[dict[str, Any], PII("more")] = field(default_factory=dict)

        __dataflow__ = {  # noqa: RUF012  as users write it
            "subject": True,
            "audit": "changes",
            "versioned": True,
        }

    @db.model
    class Order:
        person_id: int = field(references="Person")
        address: Annotated[str, PII("address")]


def person(**other: Any) -> dict[str, Any]:
    return {
        "code": 1,
        "mail": f"{CANARY}@example.org",
        "name": CANARY,
        "tags": [CANARY],
        "more": {CANARY: CANARY},
    } | other


def said(error: BaseException) -> str:
    """Return all that may be told of an error: of it, and of what led to it."""
    texts = [str(error), repr(error), "".join(traceback.format_exception(error))]
    chain: list[BaseException] = [error]
    for each in chain:
        texts += [
            str(each),
            repr(each),
            repr(each.args),
            *getattr(each, "__notes__", ()),
        ]
        texts += [repr(value) for value in vars(each).values()]
        led = (each.__cause__, each.__context__)
        chain += [other for other in led if other is not None and other not in chain]
    return "\n".join(texts)
