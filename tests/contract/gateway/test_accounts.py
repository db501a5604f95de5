"""What the gateway relies on in the account service, for the fake and the real one."""

from datetime import UTC, datetime, timedelta

import pytest

from services.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError
from tests.contract.gateway.conftest import Services
from tests.factories.gateway import PASSWORD, email


async def test_registering_signs_in(services: Services) -> None:
    """A new account's session has a token that acts as it and an expiry in the future."""
    address = email()
    session = await services.accounts.register("Ada", address, PASSWORD)
    assert session.account is not None
    assert session.expires_at is not None
    assert session.expires_at > datetime.now(UTC) + timedelta(minutes=1)
    account = await services.accounts.get(session.token, session.account.id)
    assert (account.id, account.name, account.email) == (session.account.id, "Ada", address)


async def test_an_email_is_taken_in_any_case(services: Services) -> None:
    """A second registration is a ConflictError, also in capitals."""
    address = email()
    await services.accounts.register("Ada", address, PASSWORD)
    with pytest.raises(ConflictError):
        await services.accounts.register("Ada", address.upper(), PASSWORD)


async def test_a_name_is_needed(services: Services) -> None:
    """A blank name is an InvalidError."""
    with pytest.raises(InvalidError):
        await services.accounts.register(" ", email(), PASSWORD)


async def test_signing_in_tells_nothing_about_who_exists(services: Services) -> None:
    """The right password signs in; a wrong one and an unknown e-mail get one and the same error."""
    address = email()
    registered = await services.accounts.register("Ada", address, PASSWORD)
    session = await services.accounts.login(address, PASSWORD)
    assert session.account == registered.account
    with pytest.raises(UnauthenticatedError) as wrong:
        await services.accounts.login(address, PASSWORD + "!")
    with pytest.raises(UnauthenticatedError) as unknown:
        await services.accounts.login(email(), PASSWORD)
    assert wrong.value.message == unknown.value.message


async def test_others_are_for_administrators(services: Services) -> None:
    """A customer may not see another account; an administrator may, and learns which do not exist."""
    token, _ = await services.customer()
    _, other = await services.customer()
    with pytest.raises(ForbiddenError):
        await services.accounts.get(token, other)
    assert (await services.accounts.get(services.administrator, other)).id == other
    with pytest.raises(NotFoundError):
        await services.accounts.get(services.administrator, 2**31 - 1)


async def test_only_administrators_page_through_all(services: Services) -> None:
    """Pages are by id ascending, and cover everybody once."""
    ids = [(await services.customer())[1] for _ in range(3)]
    token, _ = await services.customer()
    with pytest.raises(ForbiddenError):
        await services.accounts.page(token, 0, 10)
    seen: list[int] = []
    while page := await services.accounts.page(services.administrator, len(seen), 2):
        assert len(page) <= 2
        seen += [account.id for account in page]
    assert seen == sorted(set(seen))
    assert set(ids) <= set(seen)
