"""Process trees, read from /proc: a process, its process group, and all below them."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from signal import Signals
from time import monotonic
from typing import NamedTuple


class _Entry(NamedTuple):
    state: str
    parent: int
    group: int


def tree(root: int) -> list[int]:
    """Answer the ids of a process, of its group and of all below, parents before children; dead ones are left out.

    The group is what remains of a leader that has died; what is below may have left it, as PostgreSQL's backends do.
    """
    entries = _entries()
    found = [pid for pid, entry in entries.items() if root in {pid, entry.group}]
    for above in found:
        found.extend(pid for pid, entry in entries.items() if entry.parent == above and pid not in found)
    return found


def signal_tree(members: Iterable[int], number: Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def until_gone(members: Iterable[int], within: float) -> None:
    """Wait until none of the processes is left, as long as it may take the kernel to bury them."""
    deadline, left = monotonic() + within, set(members)
    while left and monotonic() < deadline:
        left &= _entries().keys()
        if left:
            await asyncio.sleep(0.01)  # they are not our children: nothing tells of their end


def _entries() -> dict[int, _Entry]:
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):  # it may end while we read
                entry = _parsed((process / "stat").read_text())
                if entry.state not in "ZX":
                    found[int(process.name)] = entry
    return found


def _parsed(stat: str) -> _Entry:
    """Answer fields 3 to 5; the name before them is in parentheses and may hold spaces and parentheses itself."""
    state, parent, group = stat.rpartition(")")[2].split()[:3]
    return _Entry(state, int(parent), int(group))
