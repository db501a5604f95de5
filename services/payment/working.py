"""How the payment service's loops work off jobs: claimed in small batches, each done on its own, woken or polled.

A job that fails never holds up another one. No more are claimed than are done at once, so that none waits while its
lease runs out; each has less time than its lease lasts, so that two replicas are hardly ever at the same one.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog

from services.errors import UnavailableError
from services.loops import first_of, work_until

# Seconds between two looks when nobody wakes a loop: jobs of other replicas, and those whose pause is over.
POLL_SECONDS: Final = 1.0
# Seconds before the database is tried again.
DATABASE_PAUSE: Final = 0.5
# Seconds for one job, less than the 30 of its lease.
JOB_SECONDS: Final = 25.0
# Seconds that a stop leaves the jobs at hand; what is cancelled then is claimed again when its lease has ended.
STOP_SECONDS: Final = 8.0

J = TypeVar("J")

log = structlog.get_logger(__name__)


class Working(ABC):
    """A loop around `run_once`, which answers how many jobs it found."""

    def __init__(self, poll: float = POLL_SECONDS) -> None:
        self._poll = poll
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Says that there may be jobs; called after the commit that left them, from the same event loop."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; survives the loss of the database and of whom the jobs concern."""
        await work_until(stop, self._work(stop), STOP_SECONDS)

    @abstractmethod
    async def run_once(self) -> int:
        """Does one batch and answers how many jobs it had; raises UnavailableError when the database is away."""

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._woken.clear()
            try:
                found = await self.run_once()
            except UnavailableError:
                await first_of(DATABASE_PAUSE, stop)
                continue
            if not found:
                await first_of(self._poll, self._woken, stop)


async def each(
    jobs: Sequence[J], do: Callable[[J], Awaitable[None]], give_back: Callable[[J], Awaitable[None]]
) -> None:
    """Does all jobs at once; one that takes too long or raises what `do` does not expect is given back.

    Raises UnavailableError when a job could not even be given back: it is claimed again when its lease has ended.
    """

    async def one(job: J) -> None:
        try:
            async with asyncio.timeout(JOB_SECONDS):
                await do(job)
        except UnavailableError as error:
            log.warning("a job waits", job=type(job).__name__, reason=error.message)
            await give_back(job)
        except Exception:
            log.exception("a job failed", job=type(job).__name__)
            await give_back(job)

    outcomes = await asyncio.gather(*map(one, jobs), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
