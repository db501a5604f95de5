"""CPU time of a process tree, in seconds, so that the cost of a request can be told whatever the machine's load."""

import psutil


def used(root: psutil.Process) -> float:
    """Answers the seconds of CPU that all descendants of `root` have used, dead ones included.

    A process that ended and was waited for has its time in its parent's `children` figures, so every second is
    counted once: PostgreSQL's backends come and go.
    """
    return sum(_of(process) for process in root.children(recursive=True))


def of_tree(root: psutil.Process) -> float:
    """Answers the seconds of CPU that `root` and all its descendants have used."""
    return _of(root) + used(root)


def _of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
