"""One call for what many requests ask for at the same time.

Looking one product up costs little beside the call that asks for it. So a few calls are under way at most; what is
asked for meanwhile gathers, and the next call takes all of it. Who asks alone waits for nobody. A key is never added
to a call that has been sent, so whoever asks after a change gets an answer that was looked up after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from services.errors import EcommerceError, RateLimitedError

V = TypeVar("V")

# Calls under way at once. Few make large batches; one alone would let a slow call hold everybody up.
CALLS: Final = 4
# Keys that wait for a call.
MAX_WAITING: Final = 4_096


class Gatherer(Generic[V]):
    """Answers values by key through `fetch`, which takes up to `most` keys at once and leaves out what does not exist.

    `fetch` has a deadline of its own. What it raises is raised to those whose keys it was asked for.
    """

    def __init__(self, fetch: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]], most: int) -> None:
        self._fetch = fetch
        self._most = most
        self._waiting: dict[str, asyncio.Future[V | EcommerceError | None]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> V | None:
        """Answers the key's value, None where there is none; RateLimitedError when too many keys wait already."""
        future = self._waiting.get(key)
        if future is None:
            future = self._ask(key)
        # Others may wait for the same answer: a cancelled one of them must not cancel it.
        answer = await asyncio.shield(future)
        if isinstance(answer, EcommerceError):
            raise answer
        return answer

    def _ask(self, key: str) -> asyncio.Future[V | EcommerceError | None]:
        if len(self._waiting) >= MAX_WAITING:
            raise RateLimitedError("Too many requests at once: try again in a moment.")
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if len(self._calls) < CALLS:
            call = asyncio.create_task(self._work())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        return future

    async def _work(self) -> None:
        """Makes one call after another for as long as keys wait."""
        while self._waiting:
            keys = list(self._waiting)[: self._most]
            batch = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await self._fetch(keys)
            except EcommerceError as error:
                for future in batch.values():
                    future.set_result(error)
            except Exception as error:  # noqa: BLE001 # a fault of ours: those who wait hear of it
                for future in batch.values():
                    future.set_exception(error)
            except asyncio.CancelledError:
                for future in batch.values():
                    future.cancel()
                raise
            else:
                for key, future in batch.items():
                    future.set_result(found.get(key))
