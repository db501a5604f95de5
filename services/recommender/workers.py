"""The few threads that rank: the event loop never computes, and what waits for them is bounded.

NumPy lets go of the interpreter's lock while it computes, so threads do go on beside the loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from services.errors import RateLimitedError

THREADS: Final = 2
# Questions under way or waiting; at 2 ms each, the last of them waits a quarter of a second.
MOST_WAITING: Final = 128

R = TypeVar("R")


class Workers:
    """Runs functions on `threads` threads."""

    def __init__(self, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, "ranking")
        self._most_waiting = most_waiting
        self._waiting = 0

    async def do(self, work: Callable[[], R]) -> R:
        """Answers what the function answers; raises RateLimitedError when too much waits already."""
        if self._waiting >= self._most_waiting:
            raise RateLimitedError("Too many ask for recommendations at once. Try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drops what waits and lets what is under way end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
