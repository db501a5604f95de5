"""The account service's ports in memory; tests/contract/account holds each of them against the real thing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.account.rotation import SigningKey
from services.account.service import Account, Credentials, NewAccount
from services.errors import ConflictError, UnavailableError


class FakeAccounts:
    """Keeps accounts in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[int, NewAccount] = {}
        self.available = True
        self.reads = 0

    async def add(self, new: NewAccount) -> Account:
        await self._answers()
        if any(row.email_key == new.email_key for row in self._rows.values()):
            raise ConflictError("This e-mail is already registered.")
        account_id = len(self._rows) + 1
        self._rows[account_id] = new
        return _account(account_id, new)

    async def credentials(self, email_key: str) -> Credentials | None:
        await self._answers()
        for account_id, row in self._rows.items():
            if row.email_key == email_key:
                return Credentials(_account(account_id, row), row.password_hash)
        return None

    async def replace_password_hash(self, account_id: int, old: str, new: str) -> None:
        await self._answers()
        row = self._rows[account_id]
        if row.password_hash == old:
            self._rows[account_id] = replace(row, password_hash=new)

    async def by_ids(self, ids: Sequence[int]) -> list[Account]:
        await self._answers()
        return [
            _account(account_id, self._rows[account_id]) for account_id in sorted(set(ids)) if account_id in self._rows
        ]

    async def page(self, skip: int, take: int) -> list[Account]:
        await self._answers()
        return [_account(*row) for row in sorted(self._rows.items())][skip : skip + take]

    async def _answers(self) -> None:
        self.reads += 1
        # A real call lets others run in between, which is what makes two registrations meet.
        await asyncio.sleep(0)
        if not self.available:
            raise UnavailableError("The database does not answer now. Try again later.")


class FakeKeys:
    """Keeps signing keys in a dictionary; a change excludes others as the real one's lock does."""

    def __init__(self) -> None:
        self._keys: dict[str, SigningKey] = {}
        self._changing = asyncio.Lock()
        self.available = True
        self.reads = 0
        self.changes = 0
        self.was_read = asyncio.Event()

    async def read(self) -> list[SigningKey]:
        self.reads += 1
        self.was_read.set()
        await self._answers()
        return list(self._keys.values())

    async def change(self, decide: Callable[[list[SigningKey]], list[SigningKey]]) -> list[SigningKey]:
        async with self._changing:
            await self._answers()
            self.changes += 1
            self._keys = {key.id: key for key in decide(list(self._keys.values()))}
            return list(self._keys.values())

    async def _answers(self) -> None:
        await asyncio.sleep(0)
        if not self.available:
            raise UnavailableError("The database does not answer now. Try again later.")


@dataclass
class FakePasswords:
    """Hashes in no time and counts what it does; `generation` stands for the parameters of hashing."""

    generation: int = 1
    hashed: int = 0
    verified: list[str | None] = field(default_factory=list)
    full: bool = False

    async def hash(self, password: str) -> str:
        self.hashed += 1
        await asyncio.sleep(0)
        return f"{self.generation}${self.hashed}${password}"

    async def matches(self, password_hash: str | None, password: str) -> bool:
        self.verified.append(password_hash)
        await asyncio.sleep(0)
        return password_hash is not None and password_hash.split("$", 2)[2] == password

    def is_outdated(self, password_hash: str) -> bool:
        return not password_hash.startswith(f"{self.generation}$")


@dataclass
class FakeClock:
    """The present, which goes on only when it is told to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def _account(account_id: int, row: NewAccount) -> Account:
    return Account(account_id, row.name, row.email, row.role)
