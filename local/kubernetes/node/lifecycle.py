"""The node's birth and its end, both seen from the host.

It is ended by killing its keeper: the kernel then ends every process inside and forgets its mounts, rules and links.
What the kernel keeps (cgroups, the state folder) is removed after that, also when an earlier run was killed or the
machine was restarted, so a start always begins with nothing. Pods are not asked to leave: their volumes go too.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from local.cache import cache_directory
from local.errors import StartFailedError
from local.kubernetes.node import cgroups, locks, network
from local.kubernetes.node.layout import CONNECTED, Layout, Record
from local.service_process import CHECKOUT

_STARTS_WITHIN = 30.0
_ENDS_WITHIN = 60.0
_SHOWN_LINES = 20


def start(layout: Layout) -> Record:
    """Make the namespaces, the link and the first process, which goes on by itself; raises StartFailedError."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    cgroups.create(layout.name)
    said, told = _spawn(layout)
    try:
        keeper = int(_line(said, layout))
        _line(said, layout)  # HERE: the namespaces are made
        cgroups.settle(layout.name)
        with locks.held(cache_directory() / "node-links.lock", _STARTS_WITHIN):  # or two nodes choose the same network
            link = network.choose()
            network.connect(layout.name, link, keeper)
        record = Record(keeper, _child(keeper), link.host, link.node)
        record.write(layout.record)
        told.write(CONNECTED)
    except BaseException:
        clean(layout)
        raise
    finally:
        said.close()
        told.close()
    return record


def clean(layout: Layout) -> None:
    """Leave the host as if there had been no node; raises StartFailedError where something cannot be ended.

    A folder that never was a node's is not touched: everything in it would be removed.
    """
    if any(layout.folder.glob("*")) and not layout.lock.exists():
        raise StartFailedError(f"{layout.folder} holds other things than a node's state; choose an empty folder")
    record = Record.read(layout.record) if locks.is_held(layout.lock) else None
    if record:
        with suppress(ProcessLookupError):
            os.kill(record.keeper, signal.SIGKILL)
    try:
        cgroups.remove(layout.name, _ENDS_WITHIN)
    except TimeoutError as error:
        raise StartFailedError(f"the node does not end: {error}") from None
    network.disconnect(layout.name)
    for path in layout.folder.glob("*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path != layout.lock:
            path.unlink()
    layout.lock.unlink(missing_ok=True)  # last: it is what says that all of this is ours
    with suppress(OSError):  # it was never made, or is a mount point
        layout.folder.rmdir()


def own_log(layout: Layout) -> str:
    """Answer the end of the node's own log."""
    with suppress(FileNotFoundError):
        return "\n".join((layout.logs / "node.log").read_text().splitlines()[-_SHOWN_LINES:])
    return ""


def _spawn(layout: Layout) -> tuple[IO[bytes], IO[bytes]]:
    """Start the keeper, with the lock that it and the first process hold; answer what they say and what they read."""
    command = [sys.executable, "-m", "local.kubernetes.node.entrance", layout.name, str(layout.folder)]
    with layout.lock.open("a") as lock, (layout.logs / "node.log").open("ab") as log:
        if not locks.take(lock):
            raise StartFailedError("a node that was being ended is still there")
        entrance = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,  # so that what can be read is seen by select
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )
    entrance.wait(_STARTS_WITHIN)
    if entrance.stdout is None or entrance.stdin is None:
        raise AssertionError("both are pipes")
    return entrance.stdout, entrance.stdin


def _line(said: IO[bytes], layout: Layout) -> bytes:
    if select.select([said], [], [], _STARTS_WITHIN)[0]:
        line = said.readline()
        if line:
            return line
    raise StartFailedError(f"the node's namespaces could not be made:\n{own_log(layout)}")


def _child(keeper: int) -> int:
    """Answer the only child of a process."""
    processes = (each for each in Path("/proc").iterdir() if each.name.isdigit())
    (child,) = (int(each.name) for each in processes if _parent(each) == keeper)
    return child


def _parent(process: Path) -> int | None:
    with suppress(OSError):  # it may end while we read
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return None
