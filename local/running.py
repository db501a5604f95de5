"""Whether a platform runs on a data directory, and whose it is.

`up` holds a lock on a file for as long as it lives, and writes its pid and addresses into it. The kernel frees the lock
when the holder dies, however it dies: a record counts only while it is locked, so a recycled pid is never taken for it.
"""

import fcntl
import json
import os
import select
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from local.errors import AlreadyRunningError

_FILE = "running.json"


@dataclass(frozen=True)
class Record:
    """The process that runs the platform, where GraphQL is, and the port of each listener."""

    pid: int
    graphql_url: str
    ports: Mapping[str, int]
    instances: tuple[str, ...] = ()


@contextmanager
def hold(folder: Path, record: Record | None = None) -> Iterator[None]:
    """Own a data directory; raises AlreadyRunningError, which tells where the running platform is."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(_already(_parsed(file), folder)) from None
        file.truncate(0)
        if record:
            json.dump(asdict(record), file)
            file.flush()
        yield
        file.truncate(0)


def read(folder: Path) -> Record | None:
    """Answer the record of the platform that runs on a data directory, or None."""
    path = folder / _FILE
    if not path.exists():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parsed(file)
    return None


def end(folder: Path, seconds: float) -> int | None:
    """Ask the platform on a data directory to end, and wait; answer its pid, or None; raise TimeoutError."""
    found = read(folder)
    if found is None:
        return None
    try:
        process = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return None
    try:
        if read(folder) == found:  # it holds the lock still, so the handle is of the process we mean
            signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], seconds)[0]:
            raise TimeoutError
    finally:
        os.close(process)
    return found.pid


def _parsed(file: IO[str]) -> Record | None:
    file.seek(0)
    text = file.read()
    if not text:
        return None
    fields = json.loads(text)
    return Record(fields["pid"], fields["graphql_url"], fields["ports"], tuple(fields["instances"]))


def _already(record: Record | None, folder: Path) -> str:
    if record is None:
        return f"{folder} is in use by another command; try again in a moment"
    return (
        f"the platform runs already with pid {record.pid}: {record.graphql_url} (data in {folder}). "
        "`make dev-down` ends it"
    )
