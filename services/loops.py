"""How a background loop waits, and how it ends in bounded time."""

import asyncio
from collections.abc import Coroutine


async def work_until(stop: asyncio.Event, work: Coroutine[None, None, None], grace: float) -> None:
    """Runs `work`, which is to end by itself once `stop` is set; `grace` seconds after that it is cancelled.

    Raises what `work` raises.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=grace)
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})
    if not working.cancelled():
        working.result()


async def first_of(seconds: float, *happenings: asyncio.Event) -> None:
    """Waits until one of the events is set, at most `seconds`."""
    waiting = [asyncio.create_task(happening.wait()) for happening in happenings]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def backoff(failures: int, first: float, longest: float) -> float:
    """Answers the seconds to wait after so many failures in a row: doubling from `first` up to `longest`."""
    return float(min(first * 2 ** min(failures - 1, 30), longest))
