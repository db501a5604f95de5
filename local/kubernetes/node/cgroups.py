"""The node's own folder in each cgroup hierarchy of the host: everything of the node runs below it.

Its processes join the folder before they get a cgroup namespace, so inside it is the root: the kubelet and runc work
there as on a machine of their own, and whatever they leave is found and removed with the folder.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

_ROOT = Path("/sys/fs/cgroup")
_LEAF = "init"
_AGAIN = 0.05


@dataclass(frozen=True)
class Hierarchy:
    """One mounted tree of cgroups: of version 2 where `controllers` is empty."""

    mount: Path
    controllers: str

    @property
    def unified(self) -> bool:
        """Whether it is version 2's."""
        return not self.controllers

    @property
    def alone(self) -> bool:
        """Whether it is the only one, as on hosts without version 1."""
        return self.mount == _ROOT


def hierarchies() -> tuple[Hierarchy, ...]:
    """Answer the hierarchies that this process sees."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(maxsplit=2)
        mount = Path(fields.split()[4])
        if kind in {"cgroup", "cgroup2"} and mount.is_relative_to(_ROOT):
            named = [option for option in options.split(",") if option not in {"rw", "ro", "xattr"}]
            found[mount] = Hierarchy(mount, ",".join(named) if kind == "cgroup" else "")
    return tuple(found.values())


def create(name: str) -> None:
    """Make the folder in each hierarchy."""
    for each in hierarchies():
        folder = each.mount / name
        folder.mkdir(exist_ok=True)
        if each.unified and each.alone:
            _enable(each.mount)
        if "cpuset" in each.controllers.split(","):
            for file in ("cpuset.cpus", "cpuset.mems"):  # nothing may run in a new folder before both are set
                (folder / file).write_text((each.mount / file).read_text())


def join(name: str) -> None:
    """Move this process into the folder in each hierarchy."""
    for each in hierarchies():
        (each.mount / name / "cgroup.procs").write_text(str(os.getpid()))


def settle(name: str) -> None:
    """Let controllers work below the folder: version 2 wants its processes in a leaf for that."""
    for each in hierarchies():
        if each.unified and each.alone:
            folder = each.mount / name
            (folder / _LEAF).mkdir(exist_ok=True)
            for pid in (folder / "cgroup.procs").read_text().split():
                (folder / _LEAF / "cgroup.procs").write_text(pid)
            _enable(folder)


def mount_own(seen: tuple[Hierarchy, ...]) -> None:
    """Mount the hierarchies afresh in a new cgroup namespace, so that this node's folder is their root.

    `seen` are those that were there before `/sys` was mounted anew.
    """
    if not any(each.alone for each in seen):
        _mount("tmpfs", "tmpfs", "mode=755", _ROOT)
    for each in seen:
        each.mount.mkdir(exist_ok=True)
        if each.unified:
            _mount("cgroup2", "cgroup2", "rw", each.mount)
        else:
            _mount("cgroup", "cgroup", each.controllers, each.mount)


def remove(name: str, within: float) -> None:
    """End all that runs below the folder and remove it everywhere; raise TimeoutError."""
    deadline = monotonic() + within
    while folders := list(_folders(name)):
        for pid in {pid for folder in folders for pid in _members(folder)}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in folders:
            with suppress(OSError):  # in use, for as long as it takes the kernel to bury the last process
                folder.rmdir()
        if monotonic() > deadline:
            raise TimeoutError(f"{folders[-1]} is still in use")
        sleep(_AGAIN)


def exists(name: str) -> bool:
    """Tell whether anything of the folder is there."""
    return any((each.mount / name).exists() for each in hierarchies())


def _enable(folder: Path) -> None:
    controllers = (folder / "cgroup.controllers").read_text().split()
    for controller in controllers:
        with suppress(OSError):  # one that the host keeps to itself
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _folders(name: str) -> Iterator[Path]:
    """Yield the folders below and with the node's own, each after those in it."""
    for each in hierarchies():
        for path, _, _ in os.walk(each.mount / name, topdown=False):
            yield Path(path)


def _members(folder: Path) -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split() if pid != "0"]
    return []


def _mount(kind: str, source: str, options: str, target: Path) -> None:
    subprocess.run(["mount", "-t", kind, "-o", options, source, str(target)], check=True)
