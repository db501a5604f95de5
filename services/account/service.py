"""The verbs of accounts: register, login, and reading what one may see.

Whoever signs in learns from the answer only whether address and password belong together: an address that nobody has
costs one hash, as one with a wrong password does, and brings the same error. A password is hashed anew when its owner
signs in after the cost of hashing was changed; that is a favour to the future and never a reason to fail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import structlog

from services import tokens
from services.account import rules
from services.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from services.tokens import Identity, Role

log = structlog.get_logger(__name__)

MAX_TAKE: Final = 100
MAX_IDS: Final = 100
_INT32: Final = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can sign in."""

    id: int
    name: str
    email: str
    role: Role = "customer"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is about to be stored; `email_key` is what makes it the only one of its address."""

    name: str
    email: str
    email_key: str
    password_hash: str = field(repr=False)
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with what its owner must prove to know."""

    account: Account
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in account: its token, and when that stops being accepted."""

    account: Account
    token: str = field(repr=False)
    expires_at: datetime


class AccountStore(Protocol):
    """Where accounts are kept. Everything may raise UnavailableError."""

    async def add(self, new: NewAccount) -> Account:
        """Stores it under a new id from 1 up; raises ConflictError, storing nothing, when its e-mail key is taken."""

    async def credentials(self, email_key: str) -> Credentials | None:
        """Answers the account of that e-mail key, in one round trip."""

    async def replace_password_hash(self, account_id: int, old: str, new: str) -> None:
        """Replaces the hash if it is still the old one."""

    async def by_ids(self, ids: Sequence[int]) -> list[Account]:
        """Answers those that exist, by id ascending, each once."""

    async def page(self, skip: int, take: int) -> list[Account]:
        """Answers at most `take` accounts by id ascending, after the first `skip`."""


class Passwords(Protocol):
    """Hashing, which is slow on purpose. Both verbs raise RateLimitedError when too many are waiting."""

    async def hash(self, password: str) -> str:
        """Answers a salted hash that carries its own parameters."""

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Answers whether the hash is of this password; False for None, after as much work as for any hash."""

    def is_outdated(self, password_hash: str) -> bool:
        """Answers whether the hash was made with other parameters than a new one would be."""


class Tokens(Protocol):
    """Whoever makes tokens."""

    async def issue(self, account_id: int, role: Role, /) -> tuple[str, datetime]:
        """Answers a token and when it expires; raises UnavailableError when no key can be had."""


class Accounts:
    """The verbs. `clock` answers the present as an aware datetime in UTC."""

    def __init__(
        self, store: AccountStore, passwords: Passwords, issuer: Tokens, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = issuer
        self._clock = clock

    async def register(self, name: str, email: str, password: str) -> Session:
        """Creates a customer's account and signs it in.

        Raises InvalidError for what services.account.rules refuses, ConflictError when the address is taken without
        regard to case, and RateLimitedError; nothing is stored then. After an UnavailableError the account may exist.
        """
        name, address, password = rules.clean_name(name), rules.clean_email(email), rules.clean_password(password)
        # Asked before hashing, which is dear, and before inserting, which would use up an id of 32 bits.
        if await self._store.credentials(address.key):
            raise ConflictError("This e-mail is already registered.")
        return await self._signed_in(await self._add(name, address, password, "customer"))

    async def login(self, email: str, password: str) -> Session:
        """Signs in.

        Raises one and the same UnauthenticatedError for an unknown address and a wrong password, InvalidError for a
        password that can be nobody's, and RateLimitedError or UnavailableError.
        """
        password = rules.given_password(password)
        known = await self._credentials(email)
        matches = await self._passwords.matches(known.password_hash if known else None, password)
        if known is None or not matches:
            raise UnauthenticatedError("E-mail or password is wrong.")
        await self._renew_hash(known, password)
        return await self._signed_in(known.account)

    async def get_account(self, caller: Identity | None, account_id: int) -> Account:
        """Answers one account: the caller's own, or any to an administrator; raises NotFoundError for none."""
        _require_int32(account_id)
        tokens.require_self_or_administrator(caller, account_id)
        found = await self._store.by_ids([account_id])
        if not found:
            raise NotFoundError("There is no such account.")
        return found[0]

    async def get_accounts(self, caller: Identity | None, ids: Sequence[int]) -> list[Account]:
        """Answers the accounts of these ids, at most 100, by id ascending; those that do not exist are left out.

        Raises ForbiddenError when one of them is not the caller's and the caller is no administrator.
        """
        identity = tokens.require_identity(caller)
        if len(ids) > MAX_IDS:
            raise InvalidError(f"At most {MAX_IDS} accounts can be asked for at once.")
        _require_int32(*ids)
        for account_id in ids:
            tokens.require_self_or_administrator(identity, account_id)
        return await self._store.by_ids(ids) if ids else []

    async def page(self, caller: Identity | None, skip: int, take: int) -> list[Account]:
        """Answers a page of all accounts, by id ascending and at most 100 long, to an administrator."""
        if not tokens.require_identity(caller).is_administrator:
            raise ForbiddenError("Only an administrator may list accounts.")
        if skip < 0 or take < 0:
            raise InvalidError("skip and take must not be negative.")
        _require_int32(skip)
        return await self._store.page(skip, min(take, MAX_TAKE))

    async def ensure_administrator(self, name: str, email: str, password: str) -> bool:
        """Makes an administrator unless there is one with this address; answers whether one was made.

        An account that exists is never changed: neither does its password become the one given here, nor does a
        customer become an administrator, because anyone could have registered that address. That is a ConflictError.
        """
        name, address, password = rules.clean_name(name), rules.clean_email(email), rules.clean_password(password)
        known = await self._store.credentials(address.key)
        if known is None:
            try:
                await self._add(name, address, password, "administrator")
            except ConflictError:
                # Another one of us was faster, or a customer was.
                known = await self._store.credentials(address.key)
            else:
                return True
        if known is None or known.account.role != "administrator":
            raise ConflictError("The e-mail address of the administrator is a customer's: choose another one.")
        return False

    async def _credentials(self, email: str) -> Credentials | None:
        try:
            address = rules.clean_email(email)
        except InvalidError:
            # Nobody has it. Said as for any other unknown one, since rules may have been others once.
            return None
        return await self._store.credentials(address.key)

    async def _add(self, name: str, address: rules.Email, password: str, role: Role) -> Account:
        password_hash = await self._passwords.hash(password)
        return await self._store.add(NewAccount(name, address.address, address.key, password_hash, role, self._clock()))

    async def _renew_hash(self, known: Credentials, password: str) -> None:
        if not self._passwords.is_outdated(known.password_hash):
            return
        try:
            renewed = await self._passwords.hash(password)
            await self._store.replace_password_hash(known.account.id, known.password_hash, renewed)
        except (RateLimitedError, UnavailableError) as error:
            log.warning("password not hashed anew", account_id=known.account.id, reason=error.code)

    async def _signed_in(self, account: Account) -> Session:
        token, expires_at = await self._tokens.issue(account.id, account.role)
        return Session(account, token, expires_at)


def _require_int32(*numbers: int) -> None:
    if any(number not in _INT32 for number in numbers):
        raise InvalidError("A number is out of range.")
