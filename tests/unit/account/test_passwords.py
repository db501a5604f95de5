"""The pool that hashes passwords: its bound, its cost, and what becomes of those who leave early."""

import asyncio
from collections.abc import Iterator
from threading import Event
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters

from services.account.passwords import Argon2Passwords
from services.errors import RateLimitedError


class WatchedHasher(PasswordHasher):
    """Hashes at no cost worth mentioning, when it is let go on, and remembers what it verified."""

    def __init__(self) -> None:
        super().__init__(memory_cost=8, time_cost=1, parallelism=1)
        self.go_on = Event()
        self.go_on.set()
        self.verified: list[str | bytes] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.go_on.wait()
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 the base names it
        self.verified.append(hash)
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> WatchedHasher:
    return WatchedHasher()


@pytest.fixture
def passwords(hasher: WatchedHasher) -> Iterator[Argon2Passwords]:
    pool = Argon2Passwords(threads=1, waiting=2, hasher=hasher)
    yield pool
    hasher.go_on.set()
    pool.close()


async def _all_started(*tasks: asyncio.Task[str]) -> None:
    await asyncio.wait(tasks, timeout=0)


async def test_too_many_waiting_are_sent_away(passwords: Argon2Passwords, hasher: WatchedHasher) -> None:
    """One is hashed and two wait; the fourth is told at once, and there is room again afterwards."""
    hasher.go_on.clear()
    tasks = [asyncio.create_task(passwords.hash("password")) for _ in range(3)]
    await _all_started(*tasks)
    with pytest.raises(RateLimitedError):
        await passwords.hash("password")
    hasher.go_on.set()
    await asyncio.gather(*tasks)
    assert await passwords.hash("password")


async def test_who_leaves_early_frees_the_place(passwords: Argon2Passwords, hasher: WatchedHasher) -> None:
    """Work that was not begun is dropped with its caller; work under way keeps its place until it is done."""
    hasher.go_on.clear()
    tasks = [asyncio.create_task(passwords.hash("password")) for _ in range(3)]
    await _all_started(*tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    tasks = [asyncio.create_task(passwords.hash("password")) for _ in range(2)]
    await _all_started(*tasks)
    with pytest.raises(RateLimitedError):
        await passwords.hash("password")
    hasher.go_on.set()
    assert all(await asyncio.gather(*tasks))


async def test_the_event_loop_goes_on_while_hashing(passwords: Argon2Passwords, hasher: WatchedHasher) -> None:
    """A hash under way keeps nothing else from running."""
    hasher.go_on.clear()
    task = asyncio.create_task(passwords.hash("password"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    hasher.go_on.set()
    assert await task


async def test_hashing_costs_what_was_agreed() -> None:
    """argon2id with 19 MiB, two passes and one lane, and a salt of its own for each hash."""
    pool = Argon2Passwords(threads=1, waiting=1)
    one, other = await asyncio.gather(pool.hash("password"), pool.hash("password"))
    pool.close()
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other


async def test_an_unknown_address_is_verified_at_the_same_cost(
    passwords: Argon2Passwords, hasher: WatchedHasher
) -> None:
    """What stands in for a missing hash has the parameters of a real one and is verified as often: once."""
    known = await passwords.hash("password")
    assert not await passwords.matches(known, "wrong password")
    assert not await passwords.matches(None, "wrong password")
    assert not await passwords.matches(None, "")
    parameters = [extract_parameters(str(verified)) for verified in hasher.verified]
    assert parameters == [extract_parameters(known)] * 3
