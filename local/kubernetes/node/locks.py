"""Locks on files: the kernel frees one when its holder dies, however it dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from local.errors import AlreadyRunningError

_AGAIN = 0.05


def take(handle: IO[Any]) -> bool:
    """Lock an open file, unless somebody has; answer whether it is ours."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock of a file."""
    if not path.exists():
        return False
    with path.open("rb") as handle:
        return not take(handle)


@contextmanager
def held(path: Path, within: float) -> Iterator[None]:
    """Hold the lock of a file, made where it is missing; raises AlreadyRunningError when others keep it too long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        deadline = monotonic() + within
        while not take(handle):
            if monotonic() > deadline:
                raise AlreadyRunningError("another command is starting or ending the node; try again in a moment")
            sleep(_AGAIN)
        yield
