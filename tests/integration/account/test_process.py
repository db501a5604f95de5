"""The account service as a process: how it starts, what stops it from starting, and how it ends."""

import asyncio
import os
import signal
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import services.account
from local.datastores import Datastores
from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.account.models import metadata
from services.errors import ForbiddenError, UnavailableError
from services.migration import pending_changes
from tests.factories.account import PASSWORD, email
from tests.integration.account.conftest import Running, Start, command
from tests.integration.account.test_accounts import account_of, login, register

NewDatabase = Callable[[str], Awaitable[str]]
ANOTHER_KEY = urlsafe_b64encode(bytes(32)).decode()
MIGRATIONS = Path(services.account.__file__).with_name("migrations")


async def test_the_migrations_make_what_the_models_say(new_database: NewDatabase) -> None:
    """A database at the newest revision differs from the models in nothing."""
    url = await new_database("account")
    assert await asyncio.to_thread(pending_changes, url, MIGRATIONS, metadata) == []


async def test_replicas_that_start_together_accept_each_others_tokens(start: Start, new_database: NewDatabase) -> None:
    """On an empty database, migrations included: there is one first key."""
    url = await new_database("account")
    one, other = await asyncio.gather(start(url), start(url))
    for signer, verifier in ((one, other), (other, one)):
        session = await register(signer)
        with rpc.acting_as(session.token):
            found = await verifier.stub.get_account(account_v1.GetAccountRequest(id=account_of(session).id))
        assert found.account == session.account


async def test_the_administrator_is_made_once(start: Start, new_database: NewDatabase) -> None:
    """Migrating again, also with another password, changes nothing."""
    url, address = await new_database("account"), email("root")
    for password in (PASSWORD, "another password"):
        status, _ = await command("migrate", DATABASE_URL=url, ADMIN_EMAIL=address, ADMIN_PASSWORD=password)
        assert status == 0
    account = await start(url)
    root = await login(account, address)
    with rpc.acting_as(root.token):
        everyone = await account.stub.get_accounts(account_v1.GetAccountsRequest(skip=0, take=10))
    assert everyone.accounts == [account_of(root)]
    assert account_of(root).name == "Administrator"


async def test_a_customers_address_makes_no_administrator(account: Running) -> None:
    """The migration fails with a sentence, and without the address."""
    address = email("eve")
    await register(account, address)
    url = account.process.environment["DATABASE_URL"]
    status, output = await command("migrate", DATABASE_URL=url, ADMIN_EMAIL=address, ADMIN_PASSWORD=PASSWORD)
    assert status == 1
    assert "administrator" in output
    assert "Traceback" not in output
    assert address not in output
    session = await login(account, address)
    with rpc.acting_as(session.token), pytest.raises(ForbiddenError):
        await account.stub.get_accounts(account_v1.GetAccountsRequest(skip=0, take=10))


async def test_a_wrong_encryption_key_stops_the_start(account: Running) -> None:
    """With one line that names the setting; with the right key behind it, it would do."""
    url = account.process.environment["DATABASE_URL"]
    for verb in ("serve", "rotate-keys"):
        status, output = await command(verb, DATABASE_URL=url, KEY_ENCRYPTION_KEY=ANOTHER_KEY)
        assert status == 1
        assert "KEY_ENCRYPTION_KEY does not open" in output
        assert "Traceback" not in output


async def test_an_empty_database_stops_the_start(new_database: NewDatabase) -> None:
    """With one line that names the command to run first."""
    status, output = await command("serve", DATABASE_URL=await new_database("account"))
    assert status == 1
    assert "services.account migrate" in output
    assert "Traceback" not in output


async def test_it_ends_in_order_when_it_is_told_to(start: Start, new_database: NewDatabase) -> None:
    """SIGTERM ends it with status 0 and without a complaint."""
    account = await start(await new_database("account"))
    await register(account)
    os.kill(account.process.pid, signal.SIGTERM)
    assert await asyncio.wait_for(account.process.wait(), 30) == 0
    log = account.process.log_path.read_text()
    assert "Traceback" not in log
    assert "exception" not in log


async def test_it_survives_a_restart_of_postgresql(account: Running, datastores: Datastores) -> None:
    """While the database is away that is said, and signing in works again afterwards, without a restart of ours."""
    address = email()
    session = await register(account, address)
    await datastores.postgres.kill()
    try:
        with pytest.raises(UnavailableError):
            await login(account, address)
        # What needs no database goes on: the public keys, and who a token belongs to.
        assert (await account.stub.get_public_keys(account_v1.GetPublicKeysRequest())).keys
    finally:
        await datastores.postgres.start()
    assert (await login(account, address)).account == session.account
    assert "postgresql+asyncpg" not in account.process.log_path.read_text()
