"""Each port of the account service twice: the fake, and the real one on a database of its own."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

import services.account
from services.account.encryption import KeyCipher
from services.account.keyring import KeyStore
from services.account.models import metadata
from services.account.service import AccountStore
from services.account.store import PostgresAccounts, PostgresKeys
from services.database import Database
from services.migration import migrate
from tests.fakes.account import FakeAccounts, FakeKeys

MIGRATIONS = Path(services.account.__file__).with_name("migrations")
CIPHER = KeyCipher([b64encode(bytes(32)).decode()])


@pytest.fixture(scope="package")
async def migrated(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A database at the newest revision."""
    url = await new_database("account")
    await asyncio.to_thread(migrate, url, MIGRATIONS, metadata)
    database = Database(url, application_name="account-contract")
    yield database
    await database.close()


@pytest.fixture
async def database(migrated: Database) -> Database:
    """The same one, empty as on the first day."""
    async with migrated.transaction() as session:
        connection = await session.connection()
        await connection.execute(text("TRUNCATE accounts, signing_keys RESTART IDENTITY"))
    return migrated


@pytest.fixture(params=["fake", "postgres"])
def accounts(request: pytest.FixtureRequest) -> AccountStore:
    """The store of accounts, in either kind."""
    if request.param == "fake":
        return FakeAccounts()
    return PostgresAccounts(request.getfixturevalue("database"))


@pytest.fixture(params=["fake", "postgres"])
def keys(request: pytest.FixtureRequest) -> KeyStore:
    """The store of signing keys, in either kind."""
    if request.param == "fake":
        return FakeKeys()
    return PostgresKeys(request.getfixturevalue("database"), CIPHER)
