"""The node as the host sees it: started, ended, and asked for this or that meanwhile."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from local.errors import StartFailedError
from local.kubernetes import addons
from local.kubernetes.node import cgroups, control, lifecycle, locks, pause, preflight
from local.kubernetes.node.layout import Layout, Record, state_directory
from local.kubernetes.node.processes import is_ending
from local.kubernetes.tools import tool
from local.progress import Report, silent

_PROGRAMS = ("kube-apiserver", "kubectl")  # one of each set of tools that a node runs
_READY_WITHIN = 300.0
_ANSWERS_WITHIN = 10.0
_RESTARTS_WITHIN = 150.0
_ALONE_WITHIN = 90.0
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
        self.layout, self._report = Layout(folder or state_directory()), report

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of a user who may do everything."""
        return self.layout.kubeconfig

    @property
    def address(self) -> str:
        """The node's address, where Ingresses answer on port 80; raises StartFailedError when nothing runs."""
        return self._record().address

    @property
    def running(self) -> bool:
        """Whether the node is there, and not just answering for a last moment after its keeper was killed."""
        if not locks.is_held(self.layout.lock):
            return False
        record = Record.read(self.layout.record)
        return record is None or not (is_ending(record.keeper) or is_ending(record.init))

    def up(self) -> None:
        """Start the node unless it runs, and wait until it is ready.

        Raises ToolMissingError, FetchFailedError or StartFailedError; a node that did not become ready is left as it
        is, to be looked at.
        """
        preflight.check(self.layout.folder)
        for program in _PROGRAMS:
            tool(program, self._report)
        addons.fetch(self._report)
        pause.archive(self._report)
        if not self._start_unless_running() and not self._follow():
            self._start_unless_running()  # the one that was found has ended meanwhile
        if not self._follow():
            state = f"is not ready after {_READY_WITHIN:.0f} s" if self.running else "ended before it was ready"
            raise StartFailedError(f"the node {state}. The end of its log:\n{lifecycle.own_log(self.layout)}")

    def down(self) -> bool:
        """End the node and remove all that it made; answer whether there was anything."""
        with locks.held(self.layout.starting, _ALONE_WITHIN):
            anything = self.running or self.layout.record.exists() or cgroups.exists(self.layout.name)
            lifecycle.clean(self.layout)
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
        record = Record.read(self.layout.record) if self.running else None
        if record is None:
            raise StartFailedError("no node runs: start it with `python -m local.kubernetes.node up`")
        return record

    def _start_unless_running(self) -> bool:
        with locks.held(self.layout.starting, _ALONE_WITHIN):
            if self.running:
                return False
            lifecycle.clean(self.layout)
            record = lifecycle.start(self.layout)
        self._report(f"  {'namespaces':<26} made; the node is {record.address}")
        return True

    def _follow(self) -> bool:
        """Report the node's progress until it is ready, and answer True; False where it ended or is late."""
        deadline = monotonic() + _READY_WITHIN
        while self.running and monotonic() < deadline:
            with suppress(StartFailedError):  # its supervisor is still to come, or was killed
                for answer in self._ask({"verb": "follow"}, deadline - monotonic()):
                    if "ready" in answer and self.running:  # an answer may be a dying node's last
                        return True
                    if "line" in answer:
                        self._report(answer["line"])
            sleep(_AGAIN)
        return False

    def _ask(self, request: dict[str, Any], deadline: float) -> Iterator[dict[str, Any]]:
        self._record()
        return control.ask(self.layout.socket, request, deadline)

    def _ctr(self, *arguments: str) -> str:
        socket = f"/proc/{self._record().init}/root/run/containerd/containerd.sock"
        command = ["ctr", "--address", socket, "--namespace", "k8s.io", *arguments]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_IMPORT_WITHIN)
        except subprocess.TimeoutExpired:
            raise StartFailedError(f"`ctr {' '.join(arguments)}` took longer than {_IMPORT_WITHIN:.0f} s") from None
        if done.returncode:
            raise StartFailedError(f"`ctr {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout
