"""The most memory that a process and its children had at once, in MiB."""

import asyncio
from pathlib import Path

import psutil

from tests.bench import cpu

_EVERY: float = 0.25


class Peak:
    """Watches a process tree: `own` is the kernel's own record of the root, `tree` the sum over all, now and then."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.own = 0.0
        self.tree = 0.0

    async def watch(self) -> None:
        """Looks until it is cancelled or the process is gone."""
        while True:
            self.look()
            await asyncio.sleep(_EVERY)

    def look(self) -> None:
        """Looks once; a process that ended keeps what was seen."""
        try:
            status = Path(f"/proc/{self._root.pid}/status").read_text()
            self.own = next(float(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
            members = [self._root, *self._root.children(recursive=True)]
            self.tree = max(self.tree, sum(member.memory_info().rss for member in members) / 2**20, self.own)
        except (OSError, StopIteration, psutil.NoSuchProcess):
            return

    async def processors(self, seconds: float) -> float:
        """Answers how many processors the tree used, on average over the next seconds."""
        before = self._used()
        await asyncio.sleep(seconds)
        return (self._used() - before) / seconds

    def _used(self) -> float:
        times = self._root.cpu_times()
        return float(times.user + times.system) + cpu.used(self._root)
