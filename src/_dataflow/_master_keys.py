"""The keys that wrap those of persons: what is given, or what the environment says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeAlias

from ..audit import KeyProvider, KeyRing, MasterKeys
from ._secret_key import secret_key

__all__ = ["PrivacyKeys", "master_keys"]

_ARGUMENT: Final = "privacy_keys"
_VARIABLE: Final = "DATAFLOW_PRIVACY_KEYS"

PrivacyKeys: TypeAlias = str | bytes | Sequence[str | bytes] | KeyProvider


def master_keys(
    given: PrivacyKeys | None, audit_key: bytes | None
) -> MasterKeys | None:
    """Return what wraps the keys of persons; None where there is no key at all.

    Args:
        given: A key, several of which the first one is used for new keys, or what gives
            them; else those of the environment, with commas in between.
        audit_key: Serves where there are no others, and opens what it wrapped then.

    Raises:
        ValueError: One is too short to keep anybody from guessing it.
    """
    place = _ARGUMENT if given is not None else _VARIABLE
    if given is None:
        told = os.environ.get(_VARIABLE, "").split(",")
        given = [each.strip() for each in told if each.strip()]
    if isinstance(given, str | bytes):
        given = [given]
    if isinstance(given, KeyProvider):
        return MasterKeys(given)
    keys = [_checked(each, place) for each in given]
    if audit_key is not None:
        keys.append(audit_key)
    return MasterKeys(KeyRing(keys)) if keys else None


def _checked(given: str | bytes, place: str) -> bytes:
    key = secret_key(given, place)
    assert key is not None, "it is given"  # noqa: S101
    return key
