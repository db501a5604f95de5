"""What the account service may expect of whoever hashes passwords."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from services.account.passwords import Argon2Passwords
from services.account.service import Passwords
from tests.fakes.account import FakePasswords

OLD = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NEW = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)


@pytest.fixture(params=["fake", "argon2"])
def generations(request: pytest.FixtureRequest) -> Iterator[tuple[Passwords, Passwords]]:
    """Hashing before and after its parameters were changed."""
    if request.param == "fake":
        yield FakePasswords(generation=1), FakePasswords(generation=2)
        return
    pools = [Argon2Passwords(threads=1, waiting=8, hasher=hasher) for hasher in (OLD, NEW)]
    yield pools[0], pools[1]
    for pool in pools:
        pool.close()


@pytest.mark.parametrize("password", ["12345678", "пароль 🔑 密码", " " * 8, "x" * 256])
async def test_a_hash_matches_its_password_only(generations: tuple[Passwords, Passwords], password: str) -> None:
    """Its own, and nothing near it."""
    passwords, _ = generations
    password_hash = await passwords.hash(password)
    assert await passwords.matches(password_hash, password)
    assert not await passwords.matches(password_hash, password + " ")
    assert not await passwords.matches(password_hash, "")


async def test_two_hashes_of_one_password_differ(generations: tuple[Passwords, Passwords]) -> None:
    """Each has a salt of its own."""
    passwords, _ = generations
    assert await passwords.hash("password") != await passwords.hash("password")


async def test_nothing_matches_a_missing_hash(generations: tuple[Passwords, Passwords]) -> None:
    """Whatever the password is."""
    passwords, _ = generations
    assert not await passwords.matches(None, "password")
    assert not await passwords.matches(None, "")


async def test_a_hash_of_former_parameters_is_outdated(generations: tuple[Passwords, Passwords]) -> None:
    """It still matches, and a new one is not outdated."""
    before, after = generations
    old = await before.hash("password")
    assert await after.matches(old, "password")
    assert after.is_outdated(old)
    assert not after.is_outdated(await after.hash("password"))
