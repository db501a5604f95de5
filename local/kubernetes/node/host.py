"""The node as the host sees it: its start, its end, and what is asked of it meanwhile.

It is ended by killing its keeper: the kernel then ends every process inside and forgets its mounts, rules and links.
What the kernel keeps (cgroups, the state folder) is removed after that, also when an earlier run was killed or the
machine was restarted, so a start always begins with nothing.
"""

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

from local.errors import AlreadyRunningError, StartFailedError
from local.kubernetes.node import cgroups, control, network, pause, preflight
from local.kubernetes.node.init import CONNECTED, HERE
from local.kubernetes.node.layout import Layout, Record, state_directory
from local.kubernetes.tools import tool
from local.progress import Report, silent
from local.service_process import CHECKOUT

_PROGRAMS = ("kube-apiserver", "kubectl")  # one of each set of tools that a node runs
_READY_WITHIN = 300.0
_ANSWERS_WITHIN = 10.0
_RESTARTS_WITHIN = 150.0
_STARTS_WITHIN = 30.0
_ENDS_WITHIN = 60.0
_IMPORT_WITHIN = 600.0
_AGAIN = 0.05


@dataclass(frozen=True)
class Status:
    """A running node: where it is, whether it is ready, and its daemons (name, serves, pid inside, starts)."""

    address: str
    ready: bool
    daemons: tuple[dict[str, Any], ...]


class Node:
    """A single-node cluster on this host, in namespaces of its own; it outlives the process that started it."""

    def __init__(self, folder: Path | None = None, report: Report = silent) -> None:
        """Keep its state in a folder (default: `state_directory()`); `report` is told how far things are."""
        self._layout, self._report = Layout(folder or state_directory()), report

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of a user who may do everything."""
        return self._layout.kubeconfig

    @property
    def address(self) -> str:
        """The node's address, where Ingresses answer on port 80; raises StartFailedError when nothing runs."""
        return self._record().address

    @property
    def running(self) -> bool:
        """Whether the node's first process is there."""
        return _locked(self._layout.lock)

    def up(self) -> None:
        """Start the node unless it runs, and wait until it is ready.

        Raises ToolMissingError, FetchFailedError or StartFailedError; a node that did not become ready is left as it
        is, to be looked at.
        """
        preflight.check()
        for program in _PROGRAMS:
            tool(program, self._report)
        pause.archive(self._report)
        with self._alone():
            if not self.running:
                self._clean()
                self._start()
        self._follow()

    def down(self) -> bool:
        """End the node and remove all that it made; answer whether there was anything."""
        with self._alone():
            anything = self.running or self._layout.record.exists() or cgroups.exists(self._layout.name)
            self._clean()
            return anything

    def status(self) -> Status | None:
        """Answer the running node's status, or None; raises StartFailedError where it does not answer."""
        if not self.running:
            return None
        (answer,) = self._ask({"verb": "status"}, _ANSWERS_WITHIN)
        return Status(self.address, answer["ready"], tuple(answer["daemons"]))

    def restart(self, daemon: str, *, kill: bool = False) -> None:
        """Restart a daemon, gracefully or by SIGKILL, and wait until it serves."""
        list(self._ask({"verb": "restart", "daemon": daemon, "kill": kill}, _RESTARTS_WITHIN))

    def kill_containers(self) -> int:
        """Kill all processes of all containers; the kubelet brings them back. Answer how many there were."""
        (answer,) = self._ask({"verb": "kill-containers"}, _ANSWERS_WITHIN)
        return int(answer["killed"])

    def load(self, *archives: Path) -> None:
        """Import images from archives (OCI's layout or docker's); raises StartFailedError."""
        for archive in archives:
            self._ctr("images", "import", str(archive))

    def images(self) -> frozenset[str]:
        """Answer the names of the images that are there."""
        return frozenset(self._ctr("images", "list", "--quiet").split())

    def _record(self) -> Record:
        record = Record.read(self._layout.record) if self.running else None
        if record is None:
            raise StartFailedError("no node runs: start it with `python -m local.kubernetes.node up`")
        return record

    def _start(self) -> None:
        layout, link = self._layout, network.choose()
        layout.logs.mkdir(parents=True, exist_ok=True)
        cgroups.create(layout.name)
        with layout.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 (the parameter has no other name)
            keeper = self._spawn(lock.fileno())
        try:
            if keeper.stdin is None or keeper.stdout is None:
                raise AssertionError("both are pipes")
            if not select.select([keeper.stdout], [], [], _STARTS_WITHIN)[0] or keeper.stdout.readline() != HERE:
                raise StartFailedError(f"the node's namespaces could not be made:\n{self._own_log()}")
            cgroups.settle(layout.name)
            network.connect(layout.name, link, keeper.pid)
            Record(keeper.pid, _child(keeper.pid), link.host, link.node).write(layout.record)
            keeper.stdin.write(CONNECTED)
            keeper.stdin.flush()
        except BaseException:
            keeper.kill()
            self._clean()
            raise
        self._report(f"  {'namespaces':<26} made; the node is {link.node}")

    def _spawn(self, lock: int) -> "subprocess.Popen[bytes]":
        with (self._layout.logs / "node.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "local.kubernetes.node.entrance", self._layout.name, str(self._layout.folder)],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )

    def _follow(self) -> None:
        deadline = monotonic() + _READY_WITHIN
        while self.running and monotonic() < deadline:
            with suppress(StartFailedError):  # its supervisor is still to come, or was killed
                for answer in self._ask({"verb": "follow"}, deadline - monotonic()):
                    if "ready" in answer:
                        return
                    self._report(answer["line"])
            sleep(_AGAIN)
        state = "is not ready after" if self.running else "ended before it was ready, within"
        raise StartFailedError(f"the node {state} {_READY_WITHIN:.0f} s. The end of its log:\n{self._own_log()}")

    def _own_log(self) -> str:
        with suppress(FileNotFoundError):
            return "\n".join((self._layout.logs / "node.log").read_text().splitlines()[-20:])
        return ""

    def _clean(self) -> None:
        """Leave the host as if there had been no node."""
        layout = self._layout
        record = Record.read(layout.record) if self.running else None
        if record:
            with suppress(ProcessLookupError):
                os.kill(record.keeper, signal.SIGKILL)
        try:
            cgroups.remove(layout.name, _ENDS_WITHIN)
        except TimeoutError as error:
            raise StartFailedError(f"the node's end cannot be reached: {error}") from None
        network.disconnect(layout.name)
        for path in layout.folder.glob("*") if layout.folder.exists() else ():
            if path != layout.lock:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _ask(self, request: dict[str, Any], deadline: float) -> Iterator[dict[str, Any]]:
        self._record()
        return control.ask(self._layout.socket, request, deadline)

    def _ctr(self, *arguments: str) -> str:
        socket = f"/proc/{self._record().init}/root/run/containerd/containerd.sock"
        command = ["ctr", "--address", socket, "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_IMPORT_WITHIN)
        if done.returncode:
            raise StartFailedError(f"`ctr {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one command at a time start or end the node."""
        self._layout.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._layout.folder.with_suffix(".lock").open("w") as handle:
            deadline = monotonic() + _ENDS_WITHIN
            while not _try_lock(handle):
                if monotonic() > deadline:
                    raise AlreadyRunningError("another command is starting or ending the node")
                sleep(_AGAIN)
            yield


def _locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as handle:
        return not _try_lock(handle)


def _try_lock(handle: Any) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _child(keeper: int) -> int:
    """Answer the only child of a process."""
    (child,) = (
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _parent(process) == keeper
    )
    return child


def _parent(process: Path) -> int | None:
    with suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return None
