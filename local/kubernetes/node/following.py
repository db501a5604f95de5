"""The node's progress: written to its log, kept, and passed on to everyone who follows."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from local.progress import to_terminal

_LINES = 500


class Progress:
    """Lines of text, the newest of which are told again to those who come later."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._followers: set[asyncio.Queue[str]] = set()

    def report(self, line: str) -> None:
        """Tell a line to the log and to all followers; one that does not read misses lines."""
        to_terminal(line)
        self._lines.append(line)
        for queue in self._followers:
            if not queue.full():
                queue.put_nowait(line)

    async def follow(self, until: asyncio.Event) -> AsyncIterator[str]:
        """Yield what was told and what will be, until the event comes; nothing where it has come before."""
        if until.is_set():
            return
        queue: asyncio.Queue[str] = asyncio.Queue(2 * _LINES)
        for line in self._lines:
            queue.put_nowait(line)
        self._followers.add(queue)
        end = asyncio.create_task(until.wait())
        try:
            while True:
                following = asyncio.create_task(queue.get())
                await asyncio.wait({following, end}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    return
                yield following.result()
        finally:
            end.cancel()
            self._followers.discard(queue)
