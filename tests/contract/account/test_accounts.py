"""What the account service may expect of a store of accounts."""

import asyncio
import dataclasses

import pytest

from services.account.service import Account, AccountStore
from services.errors import ConflictError
from tests.factories.account import new_account


async def test_what_is_added_can_be_read(accounts: AccountStore) -> None:
    """By its key with the hash, and by its id without."""
    new = dataclasses.replace(
        new_account("李小龍 👩‍🚀", "José@Bücher.example"), role="administrator", password_hash="h1"
    )
    added = await accounts.add(new)
    assert added == Account(added.id, "李小龍 👩‍🚀", "José@bücher.example", "administrator")
    found = await accounts.credentials(new.email_key)
    assert found is not None
    assert (found.account, found.password_hash) == (added, "h1")
    assert await accounts.by_ids([added.id]) == [added]


async def test_ids_begin_at_one_and_ascend(accounts: AccountStore) -> None:
    """The first account is number one."""
    added = [await accounts.add(new_account()) for _ in range(3)]
    assert added[0].id == 1
    assert added[0].id < added[1].id < added[2].id


async def test_nobody_has_an_unknown_key(accounts: AccountStore) -> None:
    """The answer is None; the key is compared as it is."""
    await accounts.add(new_account(address="ada@example.com"))
    assert await accounts.credentials("ADA@example.com") is None
    assert await accounts.credentials("") is None


async def test_a_key_is_taken_once(accounts: AccountStore) -> None:
    """The second is a conflict and is not stored."""
    await accounts.add(new_account("Ada", "ada@example.com"))
    with pytest.raises(ConflictError, match=r"^This e-mail is already registered\.$"):
        await accounts.add(new_account("Eve", "ADA@example.com"))
    assert [account.name for account in await accounts.page(0, 10)] == ["Ada"]


async def test_of_twenty_at_once_one_is_stored(accounts: AccountStore) -> None:
    """Whatever runs in between, one succeeds and the others conflict."""
    attempts = [accounts.add(new_account(str(number), "ada@example.com")) for number in range(20)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert len([outcome for outcome in outcomes if isinstance(outcome, Account)]) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, ConflictError)]) == 19
    assert len(await accounts.page(0, 100)) == 1


async def test_a_hash_is_replaced_only_if_it_is_the_old_one(accounts: AccountStore) -> None:
    """Of two that renew it, the slower one changes nothing."""
    new = dataclasses.replace(new_account(), password_hash="h1")
    added = await accounts.add(new)
    await accounts.replace_password_hash(added.id, "h1", "h2")
    await accounts.replace_password_hash(added.id, "h1", "h3")
    found = await accounts.credentials(new.email_key)
    assert found is not None
    assert found.password_hash == "h2"


async def test_many_are_read_by_id(accounts: AccountStore) -> None:
    """Ascending and each once; those that do not exist are left out, at the ends of 32 bits too."""
    added = [await accounts.add(new_account()) for _ in range(3)]
    ids = [added[2].id, added[0].id, added[2].id, 0, -1, 2**31 - 1, -(2**31)]
    assert await accounts.by_ids(ids) == [added[0], added[2]]
    assert await accounts.by_ids([]) == []


async def test_pages_are_cut_by_id(accounts: AccountStore) -> None:
    """Ascending, and empty behind the end."""
    added = [await accounts.add(new_account()) for _ in range(5)]
    assert await accounts.page(0, 2) == added[:2]
    assert await accounts.page(3, 100) == added[3:]
    assert await accounts.page(5, 1) == []
    assert await accounts.page(2**31 - 1, 100) == []
    assert await accounts.page(0, 0) == []
