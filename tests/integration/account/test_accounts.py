"""Registering, signing in and reading accounts over gRPC, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from services.keys import account_keys
from services.tokens import TokenPolicy, Verifier
from tests.factories.account import PASSWORD, email
from tests.integration.account.conftest import Running, Start

GetAccount, GetAccounts = account_v1.GetAccountRequest, account_v1.GetAccountsRequest


async def register(
    running: Running, address: str = "", name: str = "Ada", password: str = PASSWORD
) -> account_v1.Session:
    request = account_v1.RegisterRequest(name=name, email=address or email(), password=password)
    session = (await running.stub.register(request)).session
    assert session is not None
    return session


async def login(running: Running, address: str, password: str = PASSWORD) -> account_v1.Session:
    session = (await running.stub.login(account_v1.LoginRequest(email=address, password=password))).session
    assert session is not None
    return session


def account_of(session: account_v1.Session) -> account_v1.Account:
    assert session.account is not None
    return session.account


async def test_a_person_registers_signs_in_and_sees_the_own_account(account: Running) -> None:
    """The way that every customer takes, in every script."""
    address = email("josé")
    registered = await register(account, address, "李小龍")
    session = await login(account, address.upper())
    assert (
        session.account
        == registered.account
        == account_v1.Account(id=account_of(session).id, name="李小龍", email=address)
    )
    assert session.expires_at is not None
    assert timedelta(hours=23) < session.expires_at - datetime.now(UTC) < timedelta(hours=25)
    with rpc.acting_as(session.token):
        own = await account.stub.get_account(GetAccount(id=account_of(session).id))
    assert own.account == session.account


async def test_others_verify_tokens_by_the_published_keys(account: Running) -> None:
    """A service that has nothing but the address of this one knows who signed in."""
    session = await register(account)
    identity = await Verifier(account_keys(account.channel), TokenPolicy()).verify(session.token)
    assert (identity.account_id, identity.role) == (account_of(session).id, "customer")


async def test_unknown_address_and_wrong_password_get_one_answer(account: Running) -> None:
    """Nothing in the answers tells them apart."""
    address = email()
    await register(account, address)
    answers = []
    for tried in (address, email("nobody")):
        with pytest.raises(UnauthenticatedError) as refused:
            await login(account, tried, "wrong password")
        answers.append(refused.value.message)
    assert answers == ["E-mail or password is wrong."] * 2


async def test_an_address_in_another_case_is_taken(account: Running) -> None:
    """The second registration is a conflict."""
    address = email()
    await register(account, address)
    with pytest.raises(ConflictError, match=r"^This e-mail is already registered\.$"):
        await register(account, address.swapcase())


async def test_of_twenty_registrations_at_once_one_succeeds(account: Running) -> None:
    """All others conflict, and the account is the one that was answered."""
    address = email()
    attempts = [register(account, address if number % 2 else address.upper(), str(number)) for number in range(20)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    made = [outcome for outcome in outcomes if isinstance(outcome, account_v1.Session)]
    assert len(made) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, ConflictError)]) == 19
    assert (await login(account, address)).account == made[0].account


@pytest.mark.parametrize(
    ("name", "address", "password"),
    [
        ("", "", ""),
        ("Ada", "ada@example.com", "short"),
        ("Ada", "ada@example.com", "x" * 100_000),
        ("Ada", "ada@example.com", "nul\0 nul\0 nul"),
        ("Ada", "no address", PASSWORD),
        ("Ada", "a\0da@example.com", PASSWORD),
        ("Ada", "a" * 100_000, PASSWORD),
        ("A\0da", "ada@example.com", PASSWORD),
        ("\u202eadA", "ada@example.com", PASSWORD),
        ("x" * 101, "ada@example.com", PASSWORD),
        ("\u200b", "ada@example.com", PASSWORD),
    ],
)
async def test_bad_input_is_a_clear_error(account: Running, name: str, address: str, password: str) -> None:
    """INVALID with a sentence that repeats nothing of it, and nothing is stored."""
    with pytest.raises(InvalidError) as refused:
        await account.stub.register(account_v1.RegisterRequest(name=name, email=address, password=password))
    assert len(refused.value.message) < 100
    assert "ada@" not in refused.value.message


async def test_another_customer_sees_nothing(account: Running) -> None:
    """Neither by one id nor by many nor by a page; and nobody sees nothing at all."""
    ada, eve = await register(account), await register(account)
    own, others = account_of(eve).id, account_of(ada).id
    with rpc.acting_as(eve.token):
        for refused in (GetAccounts(ids=[own, others]), GetAccounts(skip=0, take=10)):
            with pytest.raises(ForbiddenError):
                await account.stub.get_accounts(refused)
        with pytest.raises(ForbiddenError):
            await account.stub.get_account(GetAccount(id=others))
        found = await account.stub.get_accounts(GetAccounts(ids=[own]))
    assert [one.id for one in found.accounts] == [own]
    with pytest.raises(UnauthenticatedError):
        await account.stub.get_account(GetAccount(id=others))
    with pytest.raises(UnauthenticatedError):
        await account.stub.get_accounts(GetAccounts(skip=0, take=10))


async def test_an_administrator_sees_everyone(account: Running, start: Start, database_url: str) -> None:
    """The one that the installation made: by id, by many ids and by page, with clear errors for what is impossible."""
    address = email("root")
    await start(database_url, ADMIN_EMAIL=address, ADMIN_PASSWORD=PASSWORD)
    people = [account_of(await register(account, name=name)) for name in ("Ada", "Bob")]
    root = await login(account, address)
    with rpc.acting_as(root.token):
        one = await account.stub.get_account(GetAccount(id=people[0].id))
        many = await account.stub.get_accounts(GetAccounts(ids=[people[1].id, 2**31 - 1, people[0].id]))
        page = await account.stub.get_accounts(GetAccounts(skip=1, take=2))
        for error, request in (
            (InvalidError, GetAccounts(skip=-1, take=1)),
            (InvalidError, GetAccounts(skip=0, take=-1)),
            (InvalidError, GetAccounts(ids=list(range(101)))),
        ):
            with pytest.raises(error):
                await account.stub.get_accounts(request)
        with pytest.raises(NotFoundError):
            await account.stub.get_account(GetAccount(id=2**31 - 1))
    assert one.account == people[0]
    assert many.accounts == people
    assert len(page.accounts) == 2
    assert 1 not in [found.id for found in page.accounts]


async def test_a_flood_of_sign_ins_is_turned_away(account: Running, start: Start, database_url: str) -> None:
    """With room for one at a time, of many at once some are served and the others are told to wait."""
    narrow = await start(database_url, migrate=False, HASHING_THREADS="1", HASHING_WAITING="0")
    address = email()
    await register(account, address)
    outcomes = await asyncio.gather(*(login(narrow, address) for _ in range(20)), return_exceptions=True)
    served = [outcome for outcome in outcomes if isinstance(outcome, account_v1.Session)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, EcommerceError)]
    assert served
    assert refused
    assert {type(outcome) for outcome in refused} == {RateLimitedError}
    assert len(served) + len(refused) == 20


async def test_the_log_knows_neither_addresses_nor_passwords(account: Running) -> None:
    """Whatever went well or wrong before, the log has none of it."""
    address = email("private")
    await register(account, address)
    for outcome in await asyncio.gather(
        login(account, address, "wrong but secret"), register(account, address), return_exceptions=True
    ):
        assert isinstance(outcome, EcommerceError)
    log = account.process.log_path.read_text()
    assert '"serving"' in log
    for private in ("private", "@example.com", PASSWORD, "wrong but secret", "argon2id$"):
        assert private not in log
