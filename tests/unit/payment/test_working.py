"""How the loops work off jobs: woken, polled, and ended."""

import asyncio
from collections.abc import Callable

import pytest

from services.errors import UnavailableError
from services.payment.working import Working, each


class Counting(Working):
    """Does what it is given in each round, and lets tests wait for a round."""

    def __init__(self, rounds: Callable[[int], int], poll: float) -> None:
        super().__init__(poll)
        self._rounds = rounds
        self._done = 0
        self._changed = asyncio.Condition()

    async def run_once(self) -> int:
        async with self._changed:
            self._done += 1
            self._changed.notify_all()
        return self._rounds(self._done)

    async def until(self, rounds: int) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self._done >= rounds)


async def running(loop: Counting, rounds: int) -> asyncio.Event:
    """Runs the loop until so many rounds, then ends it; answers the event that ended it."""
    stop = asyncio.Event()
    task = asyncio.create_task(loop.run(stop))
    await loop.until(rounds)
    stop.set()
    async with asyncio.timeout(30):
        await task
    return stop


async def test_it_goes_on_as_long_as_there_is_something() -> None:
    """Without waiting for the next look."""
    await running(Counting(lambda done: 1 if done < 4 else 0, poll=3600), 4)


async def test_it_looks_when_it_is_woken() -> None:
    """And not only when the time has come."""
    loop, stop = Counting(lambda _: 0, poll=3600), asyncio.Event()
    task = asyncio.create_task(loop.run(stop))
    for rounds in (1, 2, 3):
        await loop.until(rounds)
        loop.wake()
    stop.set()
    async with asyncio.timeout(30):
        await task


async def test_it_looks_when_nobody_wakes_it() -> None:
    """What another replica left is found by polling."""
    await running(Counting(lambda _: 0, poll=0.001), 3)


async def test_it_survives_the_loss_of_the_database() -> None:
    """The next round comes after a pause."""

    def away_at_first(done: int) -> int:
        if done == 1:
            raise UnavailableError("Away.")
        return 0

    await running(Counting(away_at_first, poll=0.001), 3)


async def test_a_job_that_can_not_even_be_given_back_is_told_of() -> None:
    """The others are done nevertheless."""
    done: list[int] = []

    async def do(job: int) -> None:
        if job == 1:
            raise UnavailableError("The database is away.")
        done.append(job)

    async def give_back(_: int) -> None:
        raise UnavailableError("Still away.")

    with pytest.raises(UnavailableError, match="Still away"):
        await each([1, 2], do, give_back)
    assert done == [2]
