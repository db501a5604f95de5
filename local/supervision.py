"""What dies by itself is reported with its last words and started again, a few times.

The pause grows with each failure in a row; a process that then lives for a minute has a clean record again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from local.errors import LocalError
from local.processes import Process
from local.progress import Report

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
HEALTHY_AFTER = 60.0


class Supervisor:
    """Watches processes that are meant to run."""

    def __init__(
        self,
        report: Report,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Report each death and each return."""
        self._report = report
        self._clock = clock
        self._sleep = sleep

    async def watch(self, process: Process) -> None:
        """Keep a process running until it has failed as often as there are pauses; then say so and leave it."""
        failures = 0
        while failures <= len(PAUSES):
            since = self._clock()
            code = await process.wait()
            if self._clock() - since > HEALTHY_AFTER:
                failures = 0
            self._report(f"  {process.name} ended with code {code}. The end of {process.log_path}:")
            self._report(process.last_log_lines())
            failures = await self._bring_back(process, failures)
        self._report(f"  {process.name} is left alone now: it failed {failures} times in a row")

    async def _bring_back(self, process: Process, failures: int) -> int:
        """Try until it serves or the pauses are used up; answer the failures in a row, the latest death included."""
        for number, pause in enumerate(PAUSES[failures:], start=failures + 1):
            await self._sleep(pause)
            try:
                await process.start()
            except LocalError as error:
                self._report(f"  {error}")
            else:
                self._report(f"  {process.name} serves again with pid {process.pid}")
                return number
        return len(PAUSES) + 1
