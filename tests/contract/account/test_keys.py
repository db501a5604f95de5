"""What the key ring may expect of a store of signing keys."""

import asyncio
import dataclasses
from base64 import b64encode
from datetime import timedelta

import pytest
from sqlmodel import select

from services.account import rotation
from services.account.encryption import KeyCipher
from services.account.keyring import KeyStore, UnreadableKeyError
from services.account.models import SigningKeyRecord
from services.account.rotation import RotationRules, SigningKey
from services.account.store import PostgresKeys
from services.database import Database
from tests.factories.account import NOW

RULES = RotationRules(period=timedelta(days=30), token_lifetime=timedelta(days=1))


def first_or_same(keys: list[SigningKey]) -> list[SigningKey]:
    return rotation.planned(keys, NOW, RULES)


async def test_there_are_no_keys_at_first(keys: KeyStore) -> None:
    """An empty table is no error."""
    assert await keys.read() == []


async def test_keys_are_read_as_they_were_written(keys: KeyStore) -> None:
    """Private half, times and all."""
    written = await keys.change(first_or_same)
    assert len(written) == 1
    assert await keys.read() == written


async def test_a_change_adds_adjusts_and_removes(keys: KeyStore) -> None:
    """Afterwards the keys are what was decided, whatever they were."""
    (first,) = await keys.change(first_or_same)
    both = await keys.change(lambda before: rotation.planned(before, NOW, RULES, at_once=True))
    assert both[0].id == first.id
    adjusted = dataclasses.replace(both[1], token_lifetime=timedelta(days=9))
    assert await keys.change(lambda _: [adjusted]) == [adjusted]
    assert await keys.read() == [adjusted]


async def test_changes_exclude_one_another(keys: KeyStore) -> None:
    """Of many that find no key at once, one makes it and the others find it made."""
    changes = await asyncio.gather(*(keys.change(first_or_same) for _ in range(8)))
    assert len({key.id for change in changes for key in change}) == 1
    assert len(await keys.read()) == 1


async def test_a_change_that_fails_changes_nothing(keys: KeyStore) -> None:
    """And the next one is not held up by it."""

    def fail(_: list[SigningKey]) -> list[SigningKey]:
        raise RuntimeError("no decision")

    with pytest.raises(RuntimeError, match="no decision"):
        await keys.change(fail)
    assert await keys.read() == []
    assert len(await keys.change(first_or_same)) == 1


async def test_private_keys_are_not_readable_in_the_database(database: Database) -> None:
    """What is stored opens with the encryption key only."""
    cipher = KeyCipher([b64encode(bytes(32)).decode()])
    await PostgresKeys(database, cipher).change(first_or_same)
    async with database.session() as session:
        record = (await session.exec(select(SigningKeyRecord))).one()
    assert b"PRIVATE" not in record.private_key
    assert "PRIVATE" in cipher.decrypt(record.id, record.private_key)
    another = PostgresKeys(database, KeyCipher([b64encode(bytes([1] * 32)).decode()]))
    with pytest.raises(UnreadableKeyError):
        await another.read()
    with pytest.raises(UnreadableKeyError):
        await another.change(first_or_same)
