"""Personal values of one row, sealed: as they stand in a record.

``1.<keys>.<fields>.<sealed>``: the numbers of the keys, the names of the fields, and
what AES-GCM made of their values, which are an object of JSON. Where a row belongs to
several persons it is sealed by a key that is made of all of theirs.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from ._masters import NONCE_BYTES, aes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Token", "cipher_of", "token_of"]

_FORM: Final = "1"


class Token(msgspec.Struct, frozen=True):
    """What was sealed.

    Attributes:
        keys: Numbers of the keys that open it, all of them together.
        names: Of the fields.
        sealed: The values.
    """

    keys: tuple[int, ...]
    names: tuple[str, ...]
    sealed: bytes

    @classmethod
    def read(cls, text: str) -> Token:
        """Return what a record says.

        Raises:
            ValueError: It is none.
        """
        form, keys, names, sealed = text.split(".")
        if form != _FORM:
            msg = "of a form that is not known"
            raise ValueError(msg)
        numbers = tuple(int(each) for each in keys.split("+"))
        return cls(numbers, tuple(names.split(",")), urlsafe_b64decode(sealed))

    def opened(self, cipher: AESGCM, model: str, side: str) -> bytes:
        """Return the values, an object of JSON.

        Raises:
            cryptography.exceptions.InvalidTag: They were changed, or stood elsewhere.
        """
        about = _about(model, side, ",".join(self.names))
        return cipher.decrypt(
            self.sealed[:NONCE_BYTES], self.sealed[NONCE_BYTES:], about
        )


def token_of(
    cipher: AESGCM,
    numbers: Sequence[int],
    model: str,
    side: str,
    values: Mapping[str, bytes],
) -> bytes:
    """Return values sealed, as text of JSON.

    Args:
        cipher: See `cipher_of`.
        numbers: Of its keys.
        model: Whose values.
        side: ``old`` or ``new``.
        values: By field, as text of JSON; at least one.
    """
    names = ",".join(values)
    told = b",".join(b'"%b":%b' % (n.encode(), v) for n, v in values.items())
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, b"{%b}" % told, _about(model, side, names))
    keys = "+".join(map(str, numbers))
    return b'"%b.%b.%b.%b"' % (
        _FORM.encode(),
        keys.encode(),
        names.encode(),
        urlsafe_b64encode(sealed),
    )


def cipher_of(keys: Sequence[bytes]) -> AESGCM:
    """Return what seals by all of these keys together, in their order."""
    return aes(keys[0] if len(keys) == 1 else sha256(b"".join(keys)).digest())


def _about(model: str, side: str, names: str) -> bytes:
    return f"{model}.{side}.{names}".encode()
