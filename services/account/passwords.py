"""Passwords are hashed by argon2id in a pool of threads of bounded size.

Hashing takes tens of milliseconds and 19 MiB on purpose. It releases the interpreter's lock, so a pool of one thread a
core keeps every core busy and the event loop free. Who finds too many waiting is turned away at once: an answer that
comes after the caller's deadline helps nobody, and a flood of sign-ins shall not become a queue without end.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError
from prometheus_client import Counter, Histogram

from services.errors import RateLimitedError

T = TypeVar("T")

_hashing_seconds: Final = Histogram("account_password_hashing_seconds", "Time that one hash took in its thread.")
_refused: Final = Counter("account_password_hashing_refused_total", "Callers sent away because too many were waiting.")


# OWASP's Password Storage Cheat Sheet names these parameters among those of equal strength: 19 MiB, two passes.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)


class Argon2Passwords:
    """The port `Passwords` of services.account.service, on argon2id."""

    def __init__(self, *, threads: int, waiting: int, hasher: PasswordHasher = HASHER) -> None:
        """`waiting` is how many callers may wait for one of the `threads`."""
        self._hasher = hasher
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = BoundedSemaphore(threads + waiting)
        # Of nothing that anyone knows: what an unknown address is verified against, at the same cost as a known one.
        self._dummy = self._hasher.hash("")

    async def hash(self, password: str) -> str:
        """Answers a salted hash in the PHC string format; raises RateLimitedError when too many are waiting."""
        return await self._in_pool(lambda: self._hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Answers whether the hash is of this password; False for None, after as much work as for any hash."""
        verified = await self._in_pool(lambda: self._verify(password_hash or self._dummy, password))
        return verified and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Answers whether the hash was made with other parameters than a new one would be."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Ends the threads; who still waits is cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False

    async def _in_pool(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            _refused.inc()
            raise RateLimitedError("Too many people are signing in at once: try again in a moment.")
        # The place is freed when the work is done, not when its caller has gone: the thread is busy until then. Work
        # that was not begun when its caller went is cancelled, and its place is free at once.
        job = self._pool.submit(_hashing_seconds.time()(work))
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)
