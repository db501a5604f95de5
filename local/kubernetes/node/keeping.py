"""Keeps one daemon running for as long as the node is there: what ends is started again, sooner or later.

Unlike the platform's own processes, a daemon is never given up: a node without its kubelet is of no use, and a cause
such as a full disk may pass.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic

from local.errors import LocalError
from local.kubernetes.daemons import DaemonProcess
from local.progress import Report

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
_HEALTHY_AFTER = 30.0


class Kept:
    """A daemon that is started once those that it needs serve, and again whenever it ends."""

    def __init__(self, process: DaemonProcess, served: Mapping[str, asyncio.Event], report: Report) -> None:
        """`served` has an event for each name that `after` of the daemon may hold, and for the daemon's own."""
        self.process = process
        self.starts = 0
        self._served = served
        self._serves = served[process.name]
        self._report = report
        self._pause = _FIRST_PAUSE
        self._asked = False

    @property
    def name(self) -> str:
        """The daemon's name."""
        return self.process.name

    @property
    def serves(self) -> bool:
        """Whether it answered its probe since its last start."""
        return self._serves.is_set() and self.process.running

    async def run(self) -> None:
        """Keep it running; ends only by being cancelled."""
        for name in self.process.daemon.after:
            await self._served[name].wait()
        while True:
            began = monotonic()
            if await self._start():
                self._report(f"  {self.name:<26} serves {monotonic() - began:6.1f} s")
                await self._until_its_end()
            await self._rest(monotonic() - began)

    async def restart(self, *, kill: bool) -> None:
        """End it, by SIGKILL if so wanted, and answer once it serves again."""
        self._asked = True
        self._serves.clear()
        await (self.process.kill() if kill else self.process.stop())
        await self._serves.wait()

    async def _start(self) -> bool:
        self.starts += 1
        try:
            await self.process.start()
        except (LocalError, OSError) as error:
            self._report(f"  {error}")
            return False
        self._serves.set()
        return True

    async def _until_its_end(self) -> None:
        code = await self.process.wait()
        self._serves.clear()
        if not self._asked:
            self._report(f"  {self.name} ended with code {code}:\n{self.process.last_log_lines(5)}")

    async def _rest(self, lived: float) -> None:
        if self._asked or lived > _HEALTHY_AFTER:
            self._pause = _FIRST_PAUSE
        if not self._asked:
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._asked = False
