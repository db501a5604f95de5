"""Claims about deadlines for short waits: they end what never comes, and nothing else."""

import asyncio

import pytest

from services.gateway.deadlines import Deadlines


async def test_what_comes_is_answered() -> None:
    """A wait that ends by itself answers its value, and nothing is remembered of it."""
    deadlines = Deadlines(30)
    assert await deadlines.wait(asyncio.sleep(0, "value")) == "value"
    assert not deadlines._waiting


async def test_what_never_comes_is_ended() -> None:
    """A wait beyond the deadline raises TimeoutError; the task goes on and can wait again."""
    deadlines = Deadlines(0.05)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await deadlines.wait(asyncio.Event().wait())
    task = asyncio.current_task()
    assert task
    assert not task.cancelling()
    assert await deadlines.wait(asyncio.sleep(0, "value")) == "value"


async def test_every_late_one_is_ended() -> None:
    """Waits that began at different times all end."""
    deadlines = Deadlines(0.05)
    waits = [asyncio.create_task(deadlines.wait(asyncio.Event().wait())) for _ in range(3)]
    await asyncio.sleep(0.02)
    waits.append(asyncio.create_task(deadlines.wait(asyncio.Event().wait())))
    ended = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(each) for each in ended] == [TimeoutError] * 4
    assert not deadlines._waiting
    assert not deadlines._ended


async def test_cancelling_stays_cancelling() -> None:
    """A task that somebody cancels ends as cancelled and not as late."""
    deadlines = Deadlines(30)
    waiting = asyncio.create_task(deadlines.wait(asyncio.Event().wait()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not deadlines._waiting


async def test_looking_ends_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once nobody waits nobody looks any more, and the next wait is looked after all the same."""
    deadlines, looks = Deadlines(0.04), asyncio.Semaphore(0)
    look = deadlines._look

    def noted(loop: asyncio.AbstractEventLoop) -> None:
        look(loop)
        looks.release()

    monkeypatch.setattr(deadlines, "_look", noted)
    await deadlines.wait(asyncio.sleep(0))
    for _ in range(2):
        await looks.acquire()
    assert not deadlines._looking
    with pytest.raises(TimeoutError):
        await deadlines.wait(asyncio.Event().wait())
