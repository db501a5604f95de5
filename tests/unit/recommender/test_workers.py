import asyncio
import threading
from contextlib import closing

import pytest

from services.errors import RateLimitedError
from services.recommender.workers import Workers


async def test_work_is_done_elsewhere() -> None:
    """The answer comes from a thread of the pool, errors with it; the event loop's thread computes nothing."""
    with closing(Workers()) as workers:
        assert (await workers.do(threading.current_thread)).name.startswith("ranking")
        with pytest.raises(ZeroDivisionError):
            await workers.do(lambda: 1 // 0)


async def test_what_waits_is_bounded() -> None:
    """Beyond that many questions the next is refused at once, and taken again when there is room."""
    going = threading.Event()
    with closing(Workers(threads=1, most_waiting=3)) as workers:
        waiting = [asyncio.create_task(workers.do(lambda: going.wait(10))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError):
            await workers.do(lambda: True)
        going.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await workers.do(lambda: True)


async def test_who_gives_up_waiting_makes_room() -> None:
    """A question whose caller has gone is dropped before it costs anything."""
    going, done = threading.Event(), []
    with closing(Workers(threads=1, most_waiting=2)) as workers:
        first = asyncio.create_task(workers.do(lambda: going.wait(10)))
        second = asyncio.create_task(workers.do(lambda: done.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        third = asyncio.create_task(workers.do(lambda: done.append("third")))
        await asyncio.sleep(0)
        going.set()
        await asyncio.gather(first, third)
    assert done == ["third"]
