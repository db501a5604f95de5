"""How a background loop waits, and how it ends in bounded time."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def work_until(stop: asyncio.Event, work: Coroutine[None, None, None], grace: float) -> None:
    """Runs `work`, which is to end by itself once `stop` is set; `grace` seconds after that it is cancelled.

    Raises what `work` raises.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        ended, _ = await asyncio.wait({working}, timeout=grace)
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})
    if working.cancelled():
        if ended:
            raise RuntimeError("The work was cancelled from within.")
    else:
        working.result()


async def within(seconds: float, work: Coroutine[Any, Any, Any]) -> bool:
    """Answers whether `work` succeeded in that time; it is cancelled after it, and whatever it raises is dropped.

    In a task of its own, so that a library whose clean-up lets its own cancellations escape cannot cancel the caller.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    await asyncio.wait({task}, timeout=seconds)
    return task.done() and not task.cancelled() and task.exception() is None


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
