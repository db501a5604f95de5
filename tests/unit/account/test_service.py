"""Registering, signing in and reading accounts, on fakes."""

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.account.service import Session
from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from services.tokens import Identity, Verifier
from tests.factories.account import PASSWORD, administrator, customer
from tests.unit.account.conftest import POLICY, World

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)


async def test_who_registers_is_signed_in(world: World) -> None:
    """The answer carries the account and a token that names it as a customer's."""
    session = await world.accounts.register(" Ada ", "Ada@Example.com", PASSWORD)
    assert (session.account.id, session.account.name, session.account.email) == (1, "Ada", "Ada@example.com")
    identity = await Verifier(world.ring.public_keys, POLICY).verify(session.token)
    assert (identity.account_id, identity.role) == (1, "customer")
    assert (session.expires_at - world.clock.now).total_seconds() == pytest.approx(POLICY.lifetime, abs=1)


async def test_who_registered_can_sign_in(world: World) -> None:
    """Signing in works in another case and composition than registering."""
    registered = await world.accounts.register("José", "José@example.com", "contraseña segura")
    session = await world.accounts.login("JOSE\u0301@EXAMPLE.COM", "contrasen\u0303a segura")
    assert session.account == registered.account


async def test_an_address_is_registered_once(world: World) -> None:
    """A second registration in another case is a conflict, costs no hash and changes nothing."""
    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    with pytest.raises(ConflictError, match=r"^This e-mail is already registered\.$"):
        await world.accounts.register("Eve", "ADA@example.com", "another password")
    assert world.passwords.hashed == 1
    assert (await world.accounts.login("ada@example.com", PASSWORD)).account.name == "Ada"


async def test_of_twenty_at_once_one_registers(world: World) -> None:
    """Registrations of one address that meet make one account, and conflicts for all others."""
    attempts = [world.accounts.register("Ada", "ada@example.com", PASSWORD) for _ in range(20)]
    outcomes = await _outcomes(*attempts)
    assert len([outcome for outcome in outcomes if isinstance(outcome, Session)]) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, ConflictError)]) == 19


async def test_unknown_address_and_wrong_password_look_the_same(world: World) -> None:
    """Both cost one look-up and one verification, and bring one and the same error."""
    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    seen = []
    for email in ("ada@example.com", "nobody@example.com"):
        reads, verified, hashed = world.store.reads, len(world.passwords.verified), world.passwords.hashed
        with pytest.raises(UnauthenticatedError) as refused:
            await world.accounts.login(email, "wrong password")
        work = (world.store.reads - reads, len(world.passwords.verified) - verified, world.passwords.hashed - hashed)
        seen.append((refused.value.message, work))
    assert seen == [("E-mail or password is wrong.", (1, 1, 0))] * 2


@pytest.mark.parametrize("email", ["", "no address", "a\0da@example.com", "\ud800@example.com", "x" * 10_000])
async def test_what_is_no_address_is_an_unknown_one(world: World, email: str) -> None:
    """At sign-in it brings the same error after one verification, and never reaches the database."""
    with pytest.raises(UnauthenticatedError, match=r"^E-mail or password is wrong\.$"):
        await world.accounts.login(email, PASSWORD)
    assert world.passwords.verified == [None]
    assert world.store.reads == 0


@pytest.mark.parametrize("password", ["x" * 257, "x" * 1_000_000, "nul\0 nul\0", "\ud800" * 8])
async def test_impossible_passwords_cost_nothing(world: World, password: str) -> None:
    """What can be nobody's password is refused before anything is read or hashed."""
    with pytest.raises(InvalidError):
        await world.accounts.login("ada@example.com", password)
    with pytest.raises(InvalidError):
        await world.accounts.register("Ada", "ada@example.com", password)
    assert (world.store.reads, world.passwords.hashed, world.passwords.verified) == (0, 0, [])


async def test_signing_in_reads_once(world: World) -> None:
    """One look-up and one verification; the signing keys come from memory."""
    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    reads, key_reads = world.store.reads, world.keys.reads
    await world.accounts.login("ada@example.com", PASSWORD)
    assert (world.store.reads - reads, world.keys.reads - key_reads, len(world.passwords.verified)) == (1, 0, 1)


async def test_an_outdated_hash_is_renewed_at_sign_in(world: World) -> None:
    """After the parameters changed the next sign-in hashes anew, and the one after that does not."""
    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    world.passwords.generation = 2
    for _ in range(2):
        await world.accounts.login("ada@example.com", PASSWORD)
    assert world.passwords.hashed == 2
    assert [str(verified)[:2] for verified in world.passwords.verified] == ["1$", "2$"]


@pytest.mark.parametrize("error", [RateLimitedError("full"), UnavailableError("down")])
async def test_a_hash_that_cannot_be_renewed_keeps_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch, error: EcommerceError
) -> None:
    """Renewing fails, signing in does not; the log tells of it without the address."""

    async def fail(*_: object) -> None:
        raise error

    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    world.passwords.generation = 2
    monkeypatch.setattr(world.store, "replace_password_hash", fail)
    with capture_logs() as lines:
        assert (await world.accounts.login("ada@example.com", PASSWORD)).account.id == 1
    assert lines == [
        {"event": "password not hashed anew", "log_level": "warning", "account_id": 1, "reason": error.code}
    ]


async def test_with_the_database_down_everything_is_unavailable(world: World) -> None:
    """It is UnavailableError and not a wrong password."""
    await world.accounts.register("Ada", "ada@example.com", PASSWORD)
    world.store.available = False
    with pytest.raises(UnavailableError):
        await world.accounts.login("ada@example.com", PASSWORD)
    with pytest.raises(UnavailableError):
        await world.accounts.get_account(customer(1), 1)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ANYTHING, email=ANYTHING | st.just("ada@example.com"), password=ANYTHING)
def test_any_registration_works_or_is_refused(world: World, name: str, email: str, password: str) -> None:
    """Whatever is sent, the answer is an account or an error that the caller can act on."""
    (outcome,) = asyncio.run(_outcomes(world.accounts.register(name, email, password)))
    assert isinstance(outcome, Session | InvalidError | ConflictError)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(email=ANYTHING, password=ANYTHING)
def test_any_sign_in_is_refused_in_one_of_two_ways(world: World, email: str, password: str) -> None:
    """Whatever is sent where nobody is registered, it is a wrong password or an impossible one."""
    (outcome,) = asyncio.run(_outcomes(world.accounts.login(email, password)))
    assert isinstance(outcome, UnauthenticatedError | InvalidError)


async def _outcomes(*attempts: Awaitable[Session]) -> list[Session | BaseException]:
    return await asyncio.gather(*attempts, return_exceptions=True)


# Who may see what. ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def three(world: World) -> World:
    for name in ("Ada", "Bob", "Eve"):
        await world.accounts.register(name, f"{name}@example.com", PASSWORD)
    return world


async def test_an_account_is_seen_by_its_owner_and_by_administrators(three: World) -> None:
    """Both get it; another customer and nobody do not."""
    assert (await three.accounts.get_account(customer(2), 2)).name == "Bob"
    assert (await three.accounts.get_account(administrator(9), 2)).name == "Bob"
    with pytest.raises(ForbiddenError):
        await three.accounts.get_account(customer(1), 2)
    with pytest.raises(UnauthenticatedError):
        await three.accounts.get_account(None, 2)


async def test_what_does_not_exist_is_told_to_administrators_only(three: World) -> None:
    """A customer cannot find out which ids exist."""
    with pytest.raises(NotFoundError):
        await three.accounts.get_account(administrator(), 4)
    with pytest.raises(ForbiddenError):
        await three.accounts.get_account(customer(1), 4)


async def test_many_accounts_are_answered_by_id(three: World) -> None:
    """Ascending, each once, without those that do not exist."""
    found = await three.accounts.get_accounts(administrator(), [3, 1, 3, 99, -5])
    assert [account.name for account in found] == ["Ada", "Eve"]


async def test_many_accounts_are_refused_where_one_is_anothers(three: World) -> None:
    """A customer may ask for own ids only, and for all of them or none."""
    assert [account.id for account in await three.accounts.get_accounts(customer(2), [2, 2])] == [2]
    with pytest.raises(ForbiddenError):
        await three.accounts.get_accounts(customer(2), [2, 3])
    with pytest.raises(UnauthenticatedError):
        await three.accounts.get_accounts(None, [2])


async def test_pages_are_for_administrators(three: World) -> None:
    """They get them by id, others an error."""
    page = await three.accounts.page(administrator(), 1, 1)
    assert [account.name for account in page] == ["Bob"]
    assert await three.accounts.page(administrator(), 0, 0) == []
    with pytest.raises(ForbiddenError):
        await three.accounts.page(customer(1), 0, 10)
    with pytest.raises(UnauthenticatedError):
        await three.accounts.page(None, 0, 10)


async def test_a_page_has_at_most_a_hundred(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are asked for."""
    asked = []

    async def page(skip: int, take: int) -> list[object]:
        asked.append((skip, take))
        return []

    monkeypatch.setattr(world.store, "page", page)
    await world.accounts.page(administrator(), 2**31 - 1, 2**31 - 1)
    assert asked == [(2**31 - 1, 100)]


@pytest.mark.parametrize(("skip", "take"), [(-1, 10), (0, -1), (2**31, 10), (-(2**40), 1)])
async def test_impossible_pages_are_invalid(world: World, skip: int, take: int) -> None:
    """Negative and out of 32 bits is an error of the request."""
    with pytest.raises(InvalidError):
        await world.accounts.page(administrator(), skip, take)


@pytest.mark.parametrize("ids", [[2**31], [1, -(2**31) - 1], list(range(101))])
async def test_impossible_ids_are_invalid(world: World, ids: list[int]) -> None:
    """Out of 32 bits, or more than a hundred at once."""
    with pytest.raises(InvalidError):
        await world.accounts.get_accounts(administrator(), ids)
    assert world.store.reads == 0


async def test_an_impossible_id_is_invalid_for_one_too(world: World) -> None:
    """An id out of 32 bits never reaches the database, whoever asks."""
    for caller in (administrator(), Identity(2**31, "customer", "a-token")):
        with pytest.raises(InvalidError):
            await world.accounts.get_account(caller, 2**31)


# The administrator of the installation. -------------------------------------------------------------------------------


async def test_the_administrator_is_made_once(world: World) -> None:
    """The second run changes nothing, the password included."""
    assert await world.accounts.ensure_administrator("Root", "root@example.com", PASSWORD)
    assert not await world.accounts.ensure_administrator("Other", "ROOT@example.com", "another password")
    session = await world.accounts.login("root@example.com", PASSWORD)
    assert (session.account.name, session.account.role) == ("Root", "administrator")
    identity = await Verifier(world.ring.public_keys, POLICY).verify(session.token)
    assert identity.is_administrator


async def test_two_installations_at_once_make_one_administrator(world: World) -> None:
    """One of two that meet makes it, the other finds it made."""
    runs = [world.accounts.ensure_administrator("Root", "root@example.com", PASSWORD) for _ in range(2)]
    assert sorted(await asyncio.gather(*runs)) == [False, True]


async def test_a_customer_never_becomes_administrator(world: World) -> None:
    """Who had registered the administrator's address stays a customer, and the installation is told."""
    await world.accounts.register("Eve", "root@example.com", PASSWORD)
    with pytest.raises(ConflictError, match="customer"):
        await world.accounts.ensure_administrator("Root", "root@example.com", PASSWORD)
    assert (await world.accounts.login("root@example.com", PASSWORD)).account.role == "customer"


async def test_an_administrator_obeys_the_same_rules(world: World) -> None:
    """A short password is refused for the administrator as for anyone."""
    with pytest.raises(InvalidError):
        await world.accounts.ensure_administrator("Root", "root@example.com", "short")
