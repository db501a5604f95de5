"""Every query of the account service.

Reads of accounts are told to the driver, each one round trip. Whoever changes the signing keys holds an advisory
lock for the length of the transaction, because for the first key there is no row to lock yet.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Final, cast

import asyncpg
from sqlalchemy import delete, func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.account.encryption import KeyCipher
from services.account.models import AccountRecord, SigningKeyRecord
from services.account.rotation import SigningKey
from services.account.service import Account, Credentials, NewAccount
from services.database import Database
from services.errors import ConflictError
from services.tokens import Role

# Any fixed number will do, as long as nothing else in the database locks it.
_SIGNING_KEYS_LOCK: Final = 0x7369_676E_6B65_7973
_UNIQUE_VIOLATION: Final = "23505"
_ROWS: Final = "SELECT id, name, email, role FROM accounts"
BY_EMAIL_KEY: Final = "SELECT id, name, email, role, password_hash FROM accounts WHERE email_key = $1"
# One array instead of many parameters: the statement is the same for any number, so it stays prepared.
BY_IDS: Final = f"{_ROWS} WHERE id = ANY($1::integer[]) ORDER BY id"
# What is skipped is counted in the index alone; no row is read that is not shown.
PAGE: Final = f"{_ROWS} WHERE id >= (SELECT id FROM accounts ORDER BY id OFFSET $2 LIMIT 1) ORDER BY id LIMIT $1"  # noqa: S608 of constants


class PostgresAccounts:
    """The port `AccountStore` of services.account.service, on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewAccount) -> Account:
        """Stores it under a new id; raises ConflictError, storing nothing, when its e-mail key is taken."""
        record = AccountRecord(**asdict(new))
        try:
            async with self._database.transaction() as session:
                session.add(record)
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
                raise
            raise ConflictError("This e-mail is already registered.") from None
        return _account(record)

    async def credentials(self, email_key: str) -> Credentials | None:
        """Answers the account of that e-mail key, in one round trip."""
        rows = await self._database.fetch(BY_EMAIL_KEY, email_key)
        return Credentials(_read_account(rows[0]), rows[0]["password_hash"]) if rows else None

    async def replace_password_hash(self, account_id: int, old: str, new: str) -> None:
        """Replaces the hash if it is still the old one."""
        async with self._database.transaction() as session:
            await session.exec(
                update(AccountRecord)
                .where(col(AccountRecord.id) == account_id, col(AccountRecord.password_hash) == old)
                .values(password_hash=new)
            )

    async def by_ids(self, ids: Sequence[int]) -> list[Account]:
        """Answers those that exist, by id ascending, each once."""
        return [_read_account(row) for row in await self._database.fetch(BY_IDS, list(ids))]

    async def page(self, skip: int, take: int) -> list[Account]:
        """Answers at most `take` accounts by id ascending, after the first `skip`."""
        return [_read_account(row) for row in await self._database.fetch(PAGE, take, skip)]


def _read_account(row: asyncpg.Record) -> Account:
    return Account(row["id"], row["name"], row["email"], row["role"])


def _account(record: AccountRecord) -> Account:
    # Both are held by the table: an id that is there, and a role out of these two.
    return Account(cast("int", record.id), record.name, record.email, cast("Role", record.role))


class PostgresKeys:
    """The port `KeyStore` of services.account.keyring, on PostgreSQL."""

    def __init__(self, database: Database, cipher: KeyCipher) -> None:
        self._database = database
        self._cipher = cipher

    async def read(self) -> list[SigningKey]:
        """Answers all keys; raises UnreadableKeyError when one does not open."""
        async with self._database.session() as session:
            return await self._read(session)

    async def change(self, decide: Callable[[list[SigningKey]], list[SigningKey]]) -> list[SigningKey]:
        """Makes the keys what `decide` answers for those that are there, while nobody else can; answers them."""
        async with self._database.transaction() as session:
            await session.exec(select(func.pg_advisory_xact_lock(_SIGNING_KEYS_LOCK)))
            before = {key.id: key for key in await self._read(session)}
            after = {key.id: key for key in decide(list(before.values()))}
            gone = before.keys() - after.keys()
            if gone:
                await session.exec(delete(SigningKeyRecord).where(col(SigningKeyRecord.id).in_(gone)))
            for key in after.values():
                if key != before.get(key.id):
                    await session.merge(self._record(key))
            return list(after.values())

    async def _read(self, session: AsyncSession) -> list[SigningKey]:
        return [self._key(record) for record in await session.exec(select(SigningKeyRecord))]

    def _key(self, record: SigningKeyRecord) -> SigningKey:
        return SigningKey(
            record.id,
            self._cipher.decrypt(record.id, record.private_key),
            record.created_at,
            record.signs_from,
            timedelta(seconds=record.token_lifetime),
        )

    def _record(self, key: SigningKey) -> SigningKeyRecord:
        return SigningKeyRecord(
            id=key.id,
            private_key=self._cipher.encrypt(key.id, key.private_pem),
            created_at=key.created_at,
            signs_from=key.signs_from,
            token_lifetime=round(key.token_lifetime.total_seconds()),
        )
