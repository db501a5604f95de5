"""How background loops wait and end."""

import asyncio
import contextlib
from collections.abc import Coroutine

import pytest

from services.loops import backoff, first_of, within, work_until


async def forever() -> None:
    await asyncio.Event().wait()


async def stopped(work: Coroutine[None, None, None]) -> None:
    """Runs work that is told to stop at once and given no time."""
    stop = asyncio.Event()
    stop.set()
    await work_until(stop, work, grace=0)


async def test_work_that_does_not_end_is_cancelled() -> None:
    """Work that goes on after the stop is cancelled when its grace is over, and that is no error."""
    async with asyncio.timeout(30):
        await stopped(forever())


async def test_work_may_finish_after_the_stop() -> None:
    """Work that watches the stop ends by itself and is not cancelled."""
    stop, finished = asyncio.Event(), []

    async def careful() -> None:
        await stop.wait()
        await asyncio.sleep(0)
        finished.append(True)

    working = asyncio.create_task(work_until(stop, careful(), grace=5))
    await asyncio.sleep(0)
    stop.set()
    await working
    assert finished == [True]


async def test_what_the_work_raises_is_raised() -> None:
    """An error ends the wait, and so does work that was cancelled by something else than the stop."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def cancelled_from_within() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ZeroDivisionError):
        await work_until(asyncio.Event(), fail(), grace=0)
    with pytest.raises(RuntimeError, match="from within"):
        await work_until(asyncio.Event(), cancelled_from_within(), grace=0)


async def test_cancelling_the_caller_cancels_the_work() -> None:
    """Work does not outlive the one who waits for it."""
    ended = asyncio.Event()

    async def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()
        ended.set()

    waiting = asyncio.create_task(work_until(asyncio.Event(), work(), grace=5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_within_answers_whether_it_was_done() -> None:
    """Success is told; failure, lateness and a stray cancellation are, and none of them is raised."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def stray() -> None:
        raise asyncio.CancelledError

    assert await within(5, asyncio.sleep(0))
    assert not await within(5, fail())
    assert not await within(5, stray())
    assert not await within(0.01, forever())


async def test_waits_for_the_first_happening_or_the_time() -> None:
    """A set event ends the wait at once; otherwise the time does. No task is left."""
    happened = asyncio.Event()
    happened.set()
    before = asyncio.all_tasks()
    async with asyncio.timeout(30):
        await first_of(3600, asyncio.Event(), happened)
        await first_of(0.01, asyncio.Event())
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def test_waits_double_up_to_a_bound() -> None:
    """The first wait is the shortest, each is twice the one before, and none passes the longest."""
    assert [backoff(failures, 0.1, 1.0) for failures in range(1, 6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0])
    assert backoff(10**9, 0.1, 1.0) == 1.0
