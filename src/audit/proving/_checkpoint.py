"""Checkpoints: how far each chain was at a time, to be kept somewhere else.

Rules of this file:

1. A checkpoint is a line of JSON. Several lines are several checkpoints, and the audit
   must hold against each of them.
2. It is signed by a private key where one is given, which whoever writes to the
   database need not have; else it has an HMAC by the key of the audit, if there is one.
3. What is signed is not believed before the signature was looked at.
4. It says of which place it is, and is held against that alone: lines of all tenants may
   stand in one file. A tenant that was deleted and made again is another place.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from ...drivers import Driver
from ...errors import AuditBrokenError
from ...sql import Statement
from ..recording import audit_tables
from ._signing import is_signed_by, signature_of

__all__ = [
    "HEAD_ROWS",
    "SHARED",
    "AuditPlace",
    "Marks",
    "checkpoint",
    "latest",
    "read_checkpoints",
]

HEAD_ROWS: Final = Statement(
    f"SELECT lane, seq, hash FROM {audit_tables().heads} ORDER BY lane",
    returns_rows=True,
)

_PURPOSE: Final = b"dataflow audit checkpoint\n"

Marks: TypeAlias = Mapping[str, Mapping[int, str]]
"""By chain: the hashes that leaves had once, by their place in it."""


class AuditPlace(msgspec.Struct, frozen=True):
    """Which audit it is: that of the database, or that of a tenant with its own.

    Attributes:
        tenant: Whose; empty for that of the database.
        epoch: What tells the tenant from an earlier one of its name.
    """

    tenant: str = ""
    epoch: str = ""


SHARED: Final = AuditPlace()


class _Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    heads: dict[str, tuple[int, str]]
    at: str = ""
    seal: str = ""
    signature: str = ""
    tenant: str = ""
    epoch: str = ""

    @property
    def place(self) -> AuditPlace:
        return AuditPlace(self.tenant, self.epoch)

    def told(self) -> bytes:
        """Return what is signed."""
        place = (self.tenant, self.epoch) if self.tenant else ()
        about = (self.at, self.heads, *place)
        return _PURPOSE + msgspec.json.encode(about, order="deterministic")

    def sealed(self, key: bytes | None) -> str:
        return "" if key is None else hmac.new(key, self.told(), sha256).hexdigest()


async def checkpoint(
    driver: Driver,
    key: bytes | None,
    private_key: bytes | None = None,
    place: AuditPlace = SHARED,
) -> str:
    """Return a text that says how far each chain is; keep it somewhere else.

    Args:
        driver: Where the audit is.
        key: That of the audit: signs where there is no *private_key*.
        private_key: Signs by Ed25519, as PEM; see `new_signing_keys`.
        place: Which audit that is.

    Raises:
        SigningKeyError: The private key is none.
        MissingExtraError: The library for it is not installed.
    """
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run((HEAD_ROWS,))
    heads = {lane: (seq, hash_) for lane, seq, hash_ in result.rows}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    made = _Checkpoint(heads, at, tenant=place.tenant, epoch=place.epoch)
    if private_key is None:
        made = msgspec.structs.replace(made, seal=made.sealed(key))
    else:
        signature = b64encode(signature_of(made.told(), private_key)).decode()
        made = msgspec.structs.replace(made, signature=signature)
    return msgspec.json.encode(made).decode()


def read_checkpoints(
    texts: Sequence[str], key: bytes | None, public_key: bytes | None
) -> Mapping[AuditPlace, Marks]:
    """Return what checkpoints say, by place, once all their signatures hold.

    Args:
        texts: Checkpoints, one in each line.
        key: That of the audit.
        public_key: By whose private key all of them must be signed; None for those
            that are not signed so.

    Raises:
        AuditBrokenError: One is none, was changed, or was signed by another key; or
            two of them do not agree.
        SigningKeyError: The public key is none.
    """
    known: dict[AuditPlace, dict[str, dict[int, str]]] = {}
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    if texts and not lines:
        raise _broken(1, "is none")
    for n, line in enumerate(lines, 1):
        found = _read(n, line, key, public_key)
        marks = known.setdefault(found.place, {})
        for lane, (seq, hash_) in found.heads.items():
            if marks.setdefault(lane, {}).setdefault(seq, hash_) != hash_:
                raise _broken(n, f"says another thing of leaf {seq} of {lane}")
    return known


def latest(marks: Iterable[int]) -> int:
    """Return the last leaf that was there once; 0 if nothing says so."""
    return max(marks, default=0)


def _read(
    n: int, line: str, key: bytes | None, public_key: bytes | None
) -> _Checkpoint:
    try:
        found = msgspec.json.decode(line, type=_Checkpoint)
        signature = b64decode(found.signature, validate=True)
    except (msgspec.MsgspecError, NoBase64) as error:
        raise _broken(n, "is none") from error
    if public_key is not None:
        if not is_signed_by(found.told(), signature, public_key):
            raise _broken(n, "was signed with another key, or changed")
    elif found.signature:
        problem = "was signed by a private key: give the public one to verify it"
        raise _broken(n, problem)
    elif not hmac.compare_digest(found.seal, found.sealed(key)):
        raise _broken(n, "was signed with another key, or changed")
    return found


def _broken(n: int, problem: str) -> AuditBrokenError:
    place = "the checkpoint" if n == 1 else f"the checkpoint of line {n}"
    return AuditBrokenError(place, 0, problem)
