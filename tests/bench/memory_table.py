"""What the platform's own processes have in memory, by part: after the start, and after the load.

PSS counts a page that several processes share in equal parts, so its sum is what the platform takes of the machine;
RSS counts it for each of them. Datastores are not in it, nor is what only the benchmark runs beside the platform.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import psutil

LIMIT_MIB: Final = 1_024
_MIB: Final = 2**20

# (PSS, RSS) in MiB, by part.
Memory = Mapping[str, tuple[float, float]]


def memory_of(parts: Mapping[str, int], without: Collection[str] = ()) -> Memory:
    """Answers what each part has, by its root process's id, with all that is below it."""
    return {name: _tree(pid) for name, pid in parts.items() if name not in without}


def _tree(pid: int) -> tuple[float, float]:
    root = psutil.Process(pid)
    found = [member.memory_full_info() for member in (root, *root.children(recursive=True))]
    return sum(each.pss for each in found) / _MIB, sum(each.rss for each in found) / _MIB


def table(started: Memory, loaded: Memory) -> Sequence[str]:
    """Answers the lines, the sums beneath, and what the sum is of the limit."""
    head = f"{'memory in MiB':<24}{'PSS at start':>14}{'after load':>12}{'RSS at start':>14}{'after load':>12}"
    rows = [_row(name, started[name], loaded[name]) for name in loaded]
    first, last = _sum(started), _sum(loaded)
    share = f"{last[0]:.0f} MiB (PSS) are {last[0] / LIMIT_MIB:.0%} of 1 GiB."
    return [head, *rows, _row("all", first, last), share]


def _row(name: str, first: tuple[float, float], last: tuple[float, float]) -> str:
    return f"{name:<24}{first[0]:>14.0f}{last[0]:>12.0f}{first[1]:>14.0f}{last[1]:>12.0f}"


def _sum(memory: Memory) -> tuple[float, float]:
    return sum(pss for pss, _ in memory.values()), sum(rss for _, rss in memory.values())
