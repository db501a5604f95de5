"""`python -m local.kubernetes.node.init FOLDER`: the first process of the node, whose end is the node's end.

It tells its starter that the namespaces are there, waits for the link, makes the node's view of the machine, keeps one
supervisor running, and buries every process that lost its parent.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from local.kubernetes.node import mounts, network
from local.kubernetes.node.layout import CONNECTED, HERE, INSIDE, Layout, Record

_PAUSE = 1.0  # between the death of a supervisor and the next one


def main(folder: str) -> None:
    """Run the node; answers when its supervisor ended by itself with 0."""
    os.write(sys.stdout.fileno(), HERE)
    if sys.stdin.buffer.readline() != CONNECTED:
        sys.exit("the node's starter has gone")
    outside = Layout(Path(folder))
    record = Record.read(outside.record)
    if record is None:
        sys.exit(f"{outside.record} is missing")
    _log_to(outside.logs / "node.log")
    _allow_files()
    network.configure(network.Link(record.host, record.address))
    mounts.prepare(outside.folder, outside.name, record.address)
    while _run_to_end([sys.executable, "-m", "local.kubernetes.node.supervisor", str(INSIDE), outside.name]):
        time.sleep(_PAUSE)


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    log, nothing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), os.open("/dev/null", os.O_RDONLY)
    for source, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, number)


def _allow_files() -> None:
    """Let containers open as many files as the host allows: brokers and search servers want more than a shell has."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run_to_end(command: list[str]) -> int:
    """Run the supervisor; answer its exit code. Every other process that ends meanwhile is an orphan."""
    supervisor = subprocess.Popen(command, start_new_session=True)
    while True:
        pid, status = os.wait()
        if pid == supervisor.pid:
            supervisor.returncode = os.waitstatus_to_exitcode(status)
            return supervisor.returncode


if __name__ == "__main__":
    main(*sys.argv[1:])
