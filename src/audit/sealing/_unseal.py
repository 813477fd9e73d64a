"""Opening what is sealed in a history, as far as keys are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from ...drivers import Connection
from ...errors import AuditBrokenError
from ...models import Model
from ...sql import Dialect
from .._hidden import Hidden
from .._history import Version
from .._values import revived
from ..recording import SEALED, anchors_of, seals
from ._keys import SubjectKeys
from ._masters import MasterKeys
from ._token import Token, cipher_of

__all__ = ["unsealed"]

Values = dict[str, Any]

_DECODER: Final = msgspec.json.Decoder(Values, float_hook=Decimal)


async def unsealed(
    connection: Connection,
    dialect: Dialect,
    model: Model,
    versions: Sequence[Version],
    masters: MasterKeys | None,
) -> list[Version]:
    """Return a history with the personal values that can be read.

    In the place of others there is a `Hidden`.

    Args:
        connection: Where it was read.
        dialect: Of that.
        model: Of what.
        versions: The history, as `history_of` gives it.
        masters: Opens the keys of persons, or None.

    Raises:
        AuditBrokenError: Something that is sealed was changed.
        SubjectKeyError: A key was changed.
    """
    if not seals(model):
        return [*versions]
    tokens = {text: _read(model, text) for text in _texts(versions)}
    numbers = {number for each in tokens.values() for number in each.keys}
    keys = SubjectKeys(connection, dialect, masters, model.schema)
    found = await keys.opened(numbers) if numbers else {}
    return [_shown(model, dialect, each, tokens, found) for each in versions]


def _texts(versions: Iterable[Version]) -> list[str]:
    sides = (side for each in versions for side in (each.old, each.new) if side)
    return [str(side[SEALED]) for side in sides if SEALED in side]


def _read(model: Model, text: str) -> Token:
    try:
        return Token.read(text)
    except ValueError as error:
        problem = "has personal values that were changed"
        raise AuditBrokenError(model.name, 0, problem) from error


def _shown(
    model: Model,
    dialect: Dialect,
    version: Version,
    tokens: Mapping[str, Token],
    keys: Mapping[int, bytes | None],
) -> Version:
    sides: dict[str, Values | None] = {}
    for side in ("old", "new"):
        values: Values | None = getattr(version, side)
        if values is not None and SEALED in values:
            token = tokens[str(values[SEALED])]
            values = {**values, **_opened(model, dialect, side, token, keys)}
        sides[side] = values
    old, new = sides["old"], sides["new"]
    if old is not None and new is not None and model.audit == "changes":
        # Recorded to tell whose it is, and not because it changed.
        same = {n for n in anchors_of(model) if n in old and old[n] == new.get(n)}
    else:
        same = set[str]()
    names = [name for name in model.names if name not in same]
    return msgspec.structs.replace(
        version, old=_ordered(old, names), new=_ordered(new, names)
    )


def _ordered(values: Values | None, names: Iterable[str]) -> Values | None:
    if values is None:
        return None
    return {name: values[name] for name in names if name in values}


def _opened(
    model: Model,
    dialect: Dialect,
    side: str,
    token: Token,
    keys: Mapping[int, bytes | None],
) -> Values:
    if not {*token.keys} <= keys.keys():
        return dict.fromkeys(token.names, Hidden.ERASED)
    known = [key for each in token.keys if (key := keys[each]) is not None]
    if len(known) < len(token.keys):
        return dict.fromkeys(token.names, Hidden.LOCKED)
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  see `_masters`

    try:
        told = _DECODER.decode(token.opened(cipher_of(known), model.name, side))
    except InvalidTag as error:
        problem = "has personal values that were changed"
        raise AuditBrokenError(model.name, 0, problem) from error
    return {
        name: revived(model.field(name), value, dialect)
        for name, value in told.items()
        if name in model.names
    }
