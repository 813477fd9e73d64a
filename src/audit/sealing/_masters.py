"""The keys of the application, which wrap those of persons.

Rules of this file:

1. No key of the application is used as it is given: what wraps is made of it, so that
   the same key may sign as well.
2. A wrapped key is bound to its person: put in the row of another one it does not open.
3. The library is imported with the first key that is wrapped or opened.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, final, runtime_checkable

from ...errors import MissingExtraError, SubjectKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["NONCE_BYTES", "KeyProvider", "KeyRing", "MasterKeys", "aes", "check_extra"]

EXTRA: Final = "crypto"

NONCE_BYTES: Final = 12
"""Source: NIST SP 800-38D, 5.2.1.1: 96 bits is what GCM takes as it is."""

_KEY_BYTES: Final = 32
_PURPOSE: Final = b"dataflow: keys of persons, wrapped by AES-256-GCM"
_ID_PURPOSE: Final = b"dataflow: name of a key"
_ID_LENGTH: Final = 16


@runtime_checkable
class KeyProvider(Protocol):
    """Gives the keys of an application; a `KeyRing` of given ones is one.

    It is asked on the event loop, so it must not wait: one that asks a service keeps
    what it was told.
    """

    def current(self) -> tuple[str, bytes]:
        """Return the key that wraps new keys: its name, and at least 16 bytes."""
        ...

    def find(self, name: str) -> bytes | None:
        """Return the key of a name, or None if it is not known, or no longer."""
        ...


@final
class KeyRing:
    """Keys that are known to the application, the first one is used for new keys.

    Args:
        keys: The keys; at least one.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_name(each): each for each in keys}
        self._first = _name(keys[0])

    def __repr__(self) -> str:
        return f"<KeyRing of {', '.join(self._keys)}>"

    def current(self) -> tuple[str, bytes]:
        """Return the first key, by a name that tells nothing of it."""
        return self._first, self._keys[self._first]

    def find(self, name: str) -> bytes | None:
        """Return the key of a name, or None if it is not among them."""
        return self._keys.get(name)


@final
class MasterKeys:
    """Wraps and opens the keys of persons.

    Args:
        provider: Gives the keys of the application.
    """

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider
        self._ciphers: dict[bytes, AESGCM] = {}

    @property
    def current(self) -> str:
        """Name of the key that wraps new keys."""
        return self._provider.current()[0]

    def wrap(self, key: bytes, subject: str) -> tuple[str, str]:
        """Return the name of the key that wraps, and *key* wrapped."""
        name, master = self._provider.current()
        nonce = os.urandom(NONCE_BYTES)
        wrapped = self._cipher(master).encrypt(nonce, key, subject.encode())
        return name, b64encode(nonce + wrapped).decode()

    def unwrap(self, name: str, wrapped: str, subject: str) -> bytes | None:
        """Return a key that was wrapped; None if the key for it is not known.

        Raises:
            SubjectKeyError: It was changed, or is that of another person.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  see rule 3

        master = self._provider.find(name)
        if master is None:
            return None
        try:
            told = b64decode(wrapped, validate=True)
            nonce, sealed = told[:NONCE_BYTES], told[NONCE_BYTES:]
            return self._cipher(master).decrypt(nonce, sealed, subject.encode())
        except (InvalidTag, NoBase64, ValueError) as error:
            raise SubjectKeyError(name, "was changed since it was wrapped") from error

    def _cipher(self, master: bytes) -> AESGCM:
        cipher = self._ciphers.get(master)
        if cipher is None:
            made = hmac.digest(master, _PURPOSE, "sha256")
            cipher = self._ciphers[master] = aes(made)
        return cipher


def new_key() -> bytes:
    """Return a key for a person."""
    return os.urandom(_KEY_BYTES)


def aes(key: bytes) -> AESGCM:
    """Return what seals with *key*."""
    from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415  see rule 3
        AESGCM,
    )

    return AESGCM(key)


def check_extra(feature: str) -> None:
    """Check that the library is there, without importing it.

    Raises:
        MissingExtraError: It is not.
    """
    if find_spec("cryptography") is None:
        raise MissingExtraError(feature, EXTRA)


def _name(key: bytes) -> str:
    return hmac.digest(key, _ID_PURPOSE, "sha256").hex()[:_ID_LENGTH]
