"""Claims about the end of a call's time: it ends the task, and only its own end is taken for it."""

import asyncio

import pytest

from services.rpc.time_limit import TimeLimit


async def _wait(seconds: float, begun: asyncio.Event | None = None) -> str:
    limit = TimeLimit(seconds)
    try:
        if begun:
            begun.set()
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if limit.ends_the_task():
            await asyncio.sleep(0)
            return "in time"
        raise
    finally:
        limit.lift()
    return "never"


async def test_the_end_is_told_from_a_cancellation() -> None:
    """A task whose time is up learns so and can go on to its end."""
    for seconds in (0.0, -1.0, 0.01):
        assert await asyncio.create_task(_wait(seconds)) == "in time"


async def test_a_cancelled_task_is_cancelled() -> None:
    """Whoever else ends the task, ends it: alone, and in the same moment as the limit does."""
    for seconds in (60.0, 0.0):
        begun = asyncio.Event()
        task = asyncio.create_task(_wait(seconds, begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_lifted_limit_ends_nothing() -> None:
    """What goes on after the limit was lifted is left alone, and no timer stays."""
    limit = TimeLimit(0.0)
    limit.lift()
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_later(0.01, later.set_result, "undisturbed")
    assert await later == "undisturbed"
    assert not limit.ends_the_task()
