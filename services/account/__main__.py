"""Starts the account service, or one of its commands; nothing else reads the environment.

serve          answers gRPC until it is told to stop
migrate        brings the database to the newest schema, then makes the administrator that the settings name
rotate-keys    has the signing key followed by a new one; nobody is signed out
"""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import stamina
import structlog
from sqlalchemy.exc import ProgrammingError

from services import clock, commands, rpc, runtime
from services.account.keyring import KeyRing, UnreadableKeyError
from services.account.models import metadata
from services.account.passwords import Argon2Passwords
from services.account.rotation import RotationRules
from services.account.server import AccountServer
from services.account.service import Accounts
from services.account.service_sign_in import ServiceSignIn
from services.account.settings import (
    AdministratorSettings,
    KeySettings,
    ServeSettings,
)
from services.account.store import PostgresAccounts, PostgresKeys
from services.database import Database, DatabaseSettings
from services.errors import ConflictError, InvalidError, UnavailableError
from services.tokens import Verifier

log = structlog.get_logger(__name__)

NAME: Final = "account"

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Seconds that a start waits for the database to answer.
_PATIENCE: Final = 60.0


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands.main(
        NAME,
        __doc__,
        commands.Command("serve", _explained()(_serve)),
        commands.Command("migrate", _migrate),
        commands.Command("rotate-keys", _explained()(_rotate_keys)),
    )


def _serve() -> None:
    commands.run(NAME, ServeSettings, _serving)


async def _serving(settings: ServeSettings) -> None:
    pool = Argon2Passwords(threads=settings.hashing_threads, waiting=settings.hashing_waiting)
    with contextlib.closing(pool) as passwords:
        async with settings.database(NAME) as store:
            ring = _key_ring(store, settings)
            await _first_reading(ring)
            server = rpc.Server(
                settings.server,
                AccountServer(
                    Accounts(PostgresAccounts(store), passwords, ring, clock.now),
                    ring,
                    ServiceSignIn(settings.secrets_by_service, ring),
                ),
                verifier=Verifier(ring.public_keys, settings.token_policy),
                readiness=partial(store.missing, _MIGRATIONS),
            )
            await runtime.serve(server, ring)


async def _first_reading(ring: KeyRing) -> None:
    """Waits for a database that is still starting; raises what will not pass by waiting."""
    async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=_PATIENCE, wait_max=2):
        with attempt:
            await ring.run_once()


def _migrate() -> None:
    settings = runtime.read_settings(DatabaseSettings, NAME)
    administrator = runtime.read_settings(AdministratorSettings, NAME)
    commands.migrate(NAME, settings, _MIGRATIONS, metadata)
    if administrator.admin_email:
        asyncio.run(_ensure_administrator(settings, administrator))


async def _ensure_administrator(settings: DatabaseSettings, administrator: AdministratorSettings) -> None:
    given = administrator.admin_name, administrator.admin_email, administrator.admin_password.get_secret_value()
    with contextlib.closing(Argon2Passwords(threads=1, waiting=1)) as passwords:
        async with settings.database(NAME) as store:
            try:
                made = await Accounts(PostgresAccounts(store), passwords, _NoTokens(), clock.now).ensure_administrator(
                    *given
                )
            except (InvalidError, ConflictError) as error:
                raise SystemExit(f"account: ADMIN_NAME, ADMIN_EMAIL, ADMIN_PASSWORD: {error}") from None
    log.info("administrator made" if made else "administrator is there already")


def _rotate_keys() -> None:
    commands.run(NAME, KeySettings, _rotating, metrics=False)


async def _rotating(settings: KeySettings) -> None:
    async with settings.database(NAME) as store:
        key = await _key_ring(store, settings).rotate()
    sys.stdout.write(f"{key.id} signs from {key.signs_from.isoformat(timespec='seconds')}\n")


class _NoTokens:
    """For commands, which sign nobody in."""

    async def issue(self, _account_id: int, _role: str, /) -> tuple[str, datetime]:
        raise UnavailableError("Nobody can be signed in by this command.")


def _key_ring(store: Database, settings: KeySettings) -> KeyRing:
    rules = RotationRules(timedelta(days=settings.key_rotation_days), timedelta(seconds=settings.token_lifetime))
    keys = PostgresKeys(store, settings.cipher)
    return KeyRing(keys, rules, settings.token_policy, clock.now, lambda: str(uuid.uuid4()))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Says what to do about a signing key that cannot be read and about tables that are not there."""
    try:
        yield
    except UnreadableKeyError as error:
        raise SystemExit(
            f"account: KEY_ENCRYPTION_KEY does not open the signing key {error} in the database: "
            "give the key that it was stored with, too (several are separated by commas)."
        ) from None
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42P01":  # undefined_table
            raise
        raise SystemExit("account: the database has no tables yet: run `python -m services.account migrate`.") from None


if __name__ == "__main__":
    main()
