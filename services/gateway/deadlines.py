"""A deadline for waits that are short and many.

A timer for each wait costs as much as what is done after it. So waits are written down with their start, and looked at
a few times within the span that they may take: one that is found to be old is ended before its time is up.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

T = TypeVar("T")

# Looks within the span; an end comes at most one of these parts early.
_PARTS: Final = 4


class Deadlines:
    """Lets each wait take at least three quarters of `seconds`, and at most all of them."""

    def __init__(self, seconds: float) -> None:
        self._pause = seconds / _PARTS
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._ended: set[asyncio.Task[object]] = set()
        self._looking = False

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Answers what is waited for; raises TimeoutError when that does not come."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Only a task can wait.")
        self._waiting[task] = loop.time()
        if not self._looking:
            self._look(loop)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # Somebody else may want the task's end as well: that goes first.
            if task in self._ended and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            del self._waiting[task]
            self._ended.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest = loop.time() - (_PARTS - 1) * self._pause
        for task, since in self._waiting.items():
            if since <= oldest and task not in self._ended:
                self._ended.add(task)
                task.cancel()
        # Nobody waits: the next who does starts the looking again.
        self._looking = bool(self._waiting)
        if self._looking:
            loop.call_later(self._pause, self._look, loop)
