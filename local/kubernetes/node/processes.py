"""What the kernel tells of a process's end while it comes: a SIGKILL takes effect some time after it was sent.

Until then the process is listed, holds its locks and may even answer. The kernel shows what is on its way in
`/proc/PID/stat` (proc_pid_stat(5)): the pending signal, then the flag of an exiting process, then the state.
"""

import signal
from pathlib import Path

_STATE, _FLAGS, _PENDING = 3, 9, 31  # the fields' numbers in proc_pid_stat(5)
_AFTER_NAME = 3  # the first field that follows the name, which may hold anything
_EXITING, _SIGNALED = 0x4, 0x400  # PF_EXITING and PF_SIGNALED of the kernel's sched.h
_KILLED = 1 << (signal.SIGKILL - 1)


def is_ending(pid: int) -> bool:
    """Tell whether a process has ended, is a zombie, or can do nothing any more because a SIGKILL reached it."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended between opening and reading
        return True
    if fields[_STATE - _AFTER_NAME] in "ZX":
        return True
    exiting = int(fields[_FLAGS - _AFTER_NAME]) & (_EXITING | _SIGNALED)
    return bool(exiting or int(fields[_PENDING - _AFTER_NAME]) & _KILLED)
