"""What stands in the place of a personal value that is anonymised.

Rules of this file: it fits the field, it tells nothing of the value before, and it is
always the same for one row, so that doing it again changes nothing. Where no two rows
may hold the same, it is made of a digest of the row's key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec

from ..errors import PrivacyError
from ..models import Field, Kind, Model

__all__ = ["is_alike", "refuse_fixed", "stand_in"]

_WORD: Final = "erased"
_EMAIL: Final = "erased.invalid"
"""Source: RFC 2606, section 2: nobody has an address below ``.invalid``."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = 2_000_000
"""Days behind the epoch that a date takes, rounded down: up to the year 7445."""

_NEUTRAL: Final[Mapping[Kind, Any]] = {
    Kind.INT: 0,
    Kind.FLOAT: 0.0,
    Kind.DECIMAL: Decimal(0),
    Kind.BOOL: False,
    Kind.STR: _WORD,
    Kind.BYTES: b"",
    Kind.DATE: _EPOCH.date(),
    Kind.TIME: time(),
    Kind.DATETIME: _EPOCH,
    Kind.NAIVE_DATETIME: _EPOCH.replace(tzinfo=None),
    Kind.TIMEDELTA: timedelta(),
    Kind.UUID: UUID(int=0),
    Kind.LIST: (),
}


def refuse_fixed(model: Model) -> None:
    """Check that what is personal in a model can be replaced.

    A key is never personal, for it cannot be masked.

    Raises:
        PrivacyError: It is part of a foreign key that needs a value, or computed.
    """
    referring = {name for each in model.foreign_keys for name in each.fields}
    for field in model.personal:
        if field.name in referring and not _takes_none(field):
            problem = (
                f"{field.name} is personal, and refers to a row, so nothing but None "
                "can stand in for it: let it be None, or erase with mode='delete'"
            )
            raise PrivacyError(model.name, problem)
        if field.is_computed:
            problem = f"{field.name} is personal, and computed by the database"
            raise PrivacyError(model.name, problem)


def is_alike(model: Model) -> bool:
    """Whether the same values may stand in every row of a model."""
    return not any(_must_differ(model, each) for each in model.personal)


def stand_in(model: Model, field: Field, key: Mapping[str, Any]) -> Any:  # noqa: ANN401  # the field's
    """Return what stands for a value of *field* in the row with a key.

    Raises:
        PrivacyError: Nothing is known that fits it.
    """
    said = field.marks.erased
    if said is not msgspec.UNSET and not (
        _must_differ(model, field) and said is not None
    ):
        return said
    if _takes_none(field):
        return None
    try:
        return field.check(_made(model, field, key), model.name)
    except (LookupError, ValueError) as error:
        problem = (
            f"nothing is known that could stand in for {field.name}, which is "
            f"{field.describe()}: say it with PII({field.marks.pii!r}, erased=...)"
        )
        raise PrivacyError(model.name, problem) from error


def _made(model: Model, field: Field, key: Mapping[str, Any]) -> object:
    kind = field.type.kind
    if field.type.choices:
        return field.type.choices[0]
    if kind is Kind.JSON:
        return [] if field.type.python_type is list else {}
    if not _must_differ(model, field):
        is_mail = kind is Kind.STR and field.marks.pii == "email"
        made = f"{_WORD}@{_EMAIL}" if is_mail else _NEUTRAL[kind]
        return [] if kind is Kind.LIST else made
    told = [model.name, field.name, *(str(key[name]) for name in model.key)]
    return _distinct(field, sha256(msgspec.json.encode(told)).digest())


def _distinct(field: Field, digest: bytes) -> object:
    """Return a value that no other row has."""
    kind, number = field.type.kind, int.from_bytes(digest[:7])
    if kind is Kind.STR:
        end = f"@{_EMAIL}" if field.marks.pii == "email" else ""
        return f"{_WORD}-{digest.hex()[:24]}{end}"
    made: Mapping[Kind, object] = {
        Kind.BYTES: digest[:16],
        Kind.UUID: UUID(bytes=digest[:16], version=4),
        Kind.INT: -number,
        Kind.FLOAT: -float(number >> 4),  # exact: 52 bits
        Kind.DATETIME: _EPOCH + timedelta(microseconds=number),
        Kind.NAIVE_DATETIME: _EPOCH.replace(tzinfo=None)
        + timedelta(microseconds=number),
        Kind.TIMEDELTA: timedelta(microseconds=number),
        Kind.DATE: date.fromordinal(_EPOCH.toordinal() + number % _DAYS),
    }
    return made[kind]  # of others, nothing that is certain to differ is known


def _must_differ(model: Model, field: Field) -> bool:
    groups = [*model.uniques, *(e.fields for e in model.indexes if e.is_unique)]
    return field.is_unique or any(field.name in group for group in groups)


def _takes_none(field: Field) -> bool:
    return field.is_nullable and not field.marks.is_never_null
