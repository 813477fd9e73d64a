"""Keys that sign checkpoints, by Ed25519: one signs, and another one only verifies.

The library is imported with the first key that is used.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from ...errors import MissingExtraError, SigningKeyError

__all__ = ["check_private_key", "is_signed_by", "new_signing_keys", "signature_of"]

_EXTRA: Final = "crypto"
_PRIVATE: Final = "private"
_PUBLIC: Final = "public"


def new_signing_keys() -> tuple[bytes, bytes]:
    """Return a new private key, which signs, and its public key, both as PEM.

    Raises:
        MissingExtraError: The library is not installed.
    """
    _check_extra()
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    public = key.public_key().public_bytes(
        s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


def check_private_key(private_key: bytes) -> None:
    """Look whether a private key signs, before much is done with it.

    Raises:
        SigningKeyError: The key is no private key of Ed25519, as PEM.
        MissingExtraError: The library is not installed.
    """
    signature_of(b"", private_key)


def signature_of(told: bytes, private_key: bytes) -> bytes:
    """Sign something.

    Raises:
        SigningKeyError: The key is no private key of Ed25519, as PEM.
        MissingExtraError: The library is not installed.
    """
    _check_extra()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    try:
        key = s.load_pem_private_key(private_key, None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(_PRIVATE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(_PRIVATE)
    return key.sign(told)


def is_signed_by(told: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether something was signed by the private key of a public one.

    Raises:
        SigningKeyError: The key is no public key of Ed25519, as PEM.
        MissingExtraError: The library is not installed.
    """
    _check_extra()
    from cryptography.exceptions import (  # noqa: PLC0415
        InvalidSignature,
        UnsupportedAlgorithm,
    )
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        key = s.load_pem_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError(_PUBLIC)
    try:
        key.verify(signature, told)
    except InvalidSignature:
        return False
    return True


def _check_extra() -> None:
    if find_spec("cryptography") is None:
        feature = "a checkpoint that is signed by a private key"
        raise MissingExtraError(feature, _EXTRA)
