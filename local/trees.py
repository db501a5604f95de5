"""Process trees, read from /proc: a process, its children, and theirs."""

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from signal import Signals


def tree(root: int) -> list[int]:
    """Answer the ids of a process and all below it, parents before children."""
    children = _children()
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def signal_tree(members: Iterable[int], number: Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):  # it may end while we read
                found[_parent(process)].append(int(process.name))
    return found


def _parent(process: Path) -> int:
    """Answer field 4 of `stat`; the name before it is in parentheses and may hold spaces and parentheses itself."""
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
