"""Checkpoints find what somebody did who could write everything anew."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from dataflow import DataFlow
from dataflow.audit import new_signing_keys
from dataflow.audit.proving import Leaf
from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import AuditBrokenError, MissingExtraError, SigningKeyError
from dataflow.sql import SQLITE, Statement

PRIVATE, PUBLIC = new_signing_keys()
OTHER_PRIVATE, OTHER_PUBLIC = new_signing_keys()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    """Give a database without a key: whoever writes to it can make every hash."""
    db = DataFlow(database_url)

    @db.model
    class Thing:
        name: str

        __dataflow__ = {"audit": "changes"}  # noqa: RUF012  as users write it

    async with db:
        for name in ("a", "b", "c"):
            await db["Thing"].create(name=name)
        yield db
    await db.aclose()


async def forge(url: str, bridge: Bridge, keep: int, *, extra: str = "") -> None:
    """Leave *keep* leaves, and chain them anew as if there had never been others."""
    driver = connect(parse_url(url), bridge, pool_size=1)
    names = ", ".join(Leaf.__struct_fields__)
    try:
        async with driver.acquire() as connection, connection.transaction():

            async def do(text: str, *values: object) -> None:
                places = (driver.dialect.place(n + 1) for n in range(len(values)))
                await connection.run((Statement(text.format(*places), values),))

            await do("DELETE FROM dataflow_audit_leaves WHERE seq > {}", keep)
            await do(
                "DELETE FROM dataflow_audit WHERE leaf NOT IN (SELECT leaf FROM "
                "dataflow_audit_leaves)"
            )
            if driver.dialect is SQLITE:
                await do(
                    "DELETE FROM dataflow_audit_keys WHERE record NOT IN (SELECT id FROM "
                    "dataflow_audit)"
                )
            text = f"SELECT {names} FROM dataflow_audit_leaves ORDER BY seq"
            (rows,) = await connection.run((Statement(text, returns_rows=True),))
            previous = ""
            for row in rows.rows:
                leaf = msgspec.structs.replace(
                    Leaf(*row), previous=previous, facts=row[4] + extra
                )
                hash_ = leaf.hash(None)
                await do(
                    "UPDATE dataflow_audit_leaves SET previous = {}, facts = {}, "
                    "hash = {} WHERE seq = {}",
                    *(previous, leaf.facts, hash_, leaf.seq),
                )
                previous = hash_
            await do(
                "UPDATE dataflow_audit_heads SET seq = {}, hash = {}", keep, previous
            )
    finally:
        await driver.aclose()


async def test_a_chain_that_was_cut_and_made_anew_is_found(
    db: DataFlow, database_url: str, bridge: Bridge
) -> None:
    exported = [await db.audit.checkpoint(private_key=PRIVATE)]
    await db["Thing"].create(name="d")
    exported.append(await db.audit.checkpoint(private_key=PRIVATE.decode()))
    found = await db.audit.verify(exported, public_key=PUBLIC)
    again = await db.audit.verify("\n".join(exported), public_key=PUBLIC.decode())
    await forge(database_url, bridge, 3)
    cut = await db.audit.verify()  # by itself it looks whole

    assert found == again
    assert (found.heads, cut.heads) == ({"Thing": 4}, {"Thing": 3})
    assert (await db.audit.verify(exported[0], public_key=PUBLIC)).n_events == 3
    with pytest.raises(AuditBrokenError, match="leaf 4 of Thing was cut off"):
        await db.audit.verify(exported, public_key=PUBLIC)
    await db["Thing"].create(name="another d")
    with pytest.raises(AuditBrokenError, match="leaf 4 of Thing is another one"):
        await db.audit.verify(exported, public_key=PUBLIC)


async def test_a_chain_that_was_told_differently_is_found(
    db: DataFlow, database_url: str, bridge: Bridge
) -> None:
    exported = await db.audit.checkpoint(private_key=PRIVATE)
    await forge(database_url, bridge, 3, extra=" ")

    assert (await db.audit.verify()).heads == {"Thing": 3}
    with pytest.raises(AuditBrokenError, match="leaf 3 of Thing is another one"):
        await db.audit.verify(exported, public_key=PUBLIC)


async def test_a_checkpoint_is_believed_by_its_signature_only(db: DataFlow) -> None:
    signed = await db.audit.checkpoint(private_key=PRIVATE)
    unsigned = await db.audit.checkpoint()
    found = msgspec.json.decode(signed)
    found["heads"]["Thing"][0] = 2
    changed = msgspec.json.encode(found).decode()
    later = msgspec.json.encode({**msgspec.json.decode(signed), "at": "2030"}).decode()

    for wrong in (changed, later, unsigned):
        with pytest.raises(AuditBrokenError, match="another key, or changed"):
            await db.audit.verify(wrong, public_key=PUBLIC)
    with pytest.raises(AuditBrokenError, match="line 2 was signed with another key"):
        await db.audit.verify([signed, changed], public_key=PUBLIC)
    with pytest.raises(AuditBrokenError, match="another key, or changed"):
        await db.audit.verify(signed, public_key=OTHER_PUBLIC)
    with pytest.raises(AuditBrokenError, match="give the public one"):
        await db.audit.verify(signed)
    for none in ("", "\n", "{", '{"heads":{},"signature":"?"}'):
        with pytest.raises(AuditBrokenError, match="is none"):
            await db.audit.verify(none, public_key=PUBLIC)
    with pytest.raises(ValueError, match="there is none: give one"):
        await db.audit.verify(public_key=PUBLIC)
    assert (await db.audit.verify(unsigned)).heads == {"Thing": 3}


async def test_checkpoints_that_do_not_agree_are_named(
    db: DataFlow, database_url: str, bridge: Bridge
) -> None:
    first = await db.audit.checkpoint(private_key=PRIVATE)
    await forge(database_url, bridge, 3, extra=" ")
    second = await db.audit.checkpoint(private_key=PRIVATE)

    with pytest.raises(AuditBrokenError, match="line 2 says another thing of leaf 3"):
        await db.audit.verify([first, second], public_key=PUBLIC)


async def test_what_is_no_key_is_said(
    db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = await db.audit.checkpoint(private_key=PRIVATE)
    for wrong in (PUBLIC, b"", X25519_PRIVATE):
        with pytest.raises(SigningKeyError, match="no private key of Ed25519"):
            await db.audit.checkpoint(private_key=wrong)
    for wrong in (PRIVATE, b"-", X25519_PUBLIC):
        with pytest.raises(SigningKeyError, match="no public key of Ed25519"):
            await db.audit.verify(signed, public_key=wrong)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"'dataflow-actors\[crypto\]'"):
        new_signing_keys()


# Keys of another kind. Source: RFC 8410, section 10, for their form.
X25519_PRIVATE = (
    b"-----BEGIN PRIVATE KEY-----\n"
    b"MC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
    b"-----END PRIVATE KEY-----\n"
)
X25519_PUBLIC = (
    b"-----BEGIN PUBLIC KEY-----\n"
    b"MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    b"-----END PUBLIC KEY-----\n"
)
