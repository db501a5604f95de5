"""An open loop over HTTP: requests come at a rate, at random moments, however long answers take, as visitors do.

A request's time counts from the moment it was due, so what waits for a free connection, or for this client, is counted
as waiting. Connections are kept, for less long than the server keeps them, and are so many at most; what is due while
all of them wait is not sent and counts as refused. The client speaks just the HTTP that it needs: each of its
microseconds is taken from the platform it measures.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

_LENGTH: Final = b"\r\ncontent-length:"
# Seconds for which an unused connection is taken up again. The gateway closes one after 30, perhaps just then.
_FRESH: Final = 15.0
# Bytes of one answer's head, and of an answer: far above any.
_LARGEST: Final = 2**24


@dataclass(frozen=True)
class Call:
    """One request as it is sent, head and body, and what tells a right answer by its body."""

    sent: bytes
    right: Callable[[bytes], bool]


@dataclass
class Tally:
    """What came of a time of load: seconds of each right answer, and how many calls were due and came to nothing."""

    seconds: list[float] = field(default_factory=list)
    due: int = 0
    wrong: int = 0
    failed: int = 0
    refused: int = 0
    # From the first moment to the last answer.
    lasted: float = 0.0


def post(host: str, port: int, body: bytes, token: str | None = None) -> bytes:
    """Answers a POST of JSON to /graphql as it is sent."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n{bearer}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Arrivals:
    """A client of one address, with at most `connections`, each answer awaited for `timeout` seconds."""

    def __init__(
        self, host: str, port: int, *, connections: int = 512, timeout: float = 10.0, fresh: float = _FRESH
    ) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._fresh = fresh
        self._places = connections
        # The last one used is the next one, with the moment from which nobody used it.
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def offer(self, rate: float, seconds: float, draw: Callable[[], Call], seed: int = 1) -> Tally:
        """Sends what is drawn, `rate` times a second on average, for so long, and waits for the last answer."""
        tally, dice = Tally(), random.Random(seed)
        began = due = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while (due := due + dice.expovariate(rate)) < began + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tally.due += 1
                if self._places:
                    group.create_task(self._place(draw(), due, tally))
                    self._places -= 1
                else:
                    tally.refused += 1
        tally.lasted = time.perf_counter() - began
        return tally

    async def close(self) -> None:
        """Closes every connection."""
        for _, writer, _ in self._idle:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        self._idle.clear()

    async def _place(self, call: Call, due: float, tally: Tally) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                right = call.right(await self._answer(call.sent))
        except (OSError, EOFError, ValueError, TimeoutError):
            tally.failed += 1
            return
        finally:
            self._places += 1
        if right:
            tally.seconds.append(time.perf_counter() - due)
        else:
            tally.wrong += 1

    async def _answer(self, sent: bytes) -> bytes:
        """Answers a body; a connection goes back only after a whole answer."""
        reader, writer = self._kept() or await self._connected()
        try:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer, time.perf_counter()))
        return body if head.startswith(b"HTTP/1.1 200 ") else b""

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Answers the connection that was used last, if that is not long ago; closes those that are too old."""
        if not self._idle:
            return None
        reader, writer, since = self._idle[-1]
        if time.perf_counter() - since < self._fresh:
            del self._idle[-1]
            return reader, writer
        # The others are older still.
        for _, old, _ in self._idle:
            old.close()
        self._idle.clear()
        return None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._address, limit=_LARGEST)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _length(head: bytes) -> int:
    """Answers the bytes that follow; raises ValueError where the head does not say so."""
    _, found, rest = head.lower().partition(_LENGTH)
    if not found:
        raise ValueError("An answer without Content-Length.")
    return int(rest.partition(b"\r")[0])
