"""The node's own view of the file system: what it would write outside its state folder, it writes into memory.

`/run` is empty and its own; over `/var/lib` and `/var/log` lies a layer that only it sees. Folders that grow
(images, volumes, logs of pods) are the state folder's, at the paths where upstream's programs want them.
"""

import os
import socket
import subprocess
from pathlib import Path

from local.kubernetes.node import cgroups
from local.kubernetes.node.layout import INSIDE

_COVERED = ("/var/lib", "/var/log")
_KEPT = ("/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods")
# The kubelet sets these for the whole machine; it is shown these values instead, and the host's stay as they are.
_SHOWN = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def prepare(state: Path, name: str, address: str) -> None:
    """Make the view; called once, as the first process of new mount, network, UTS and cgroup namespaces."""
    seen = cgroups.hierarchies()
    _mount("-t", "sysfs", "sysfs", "/sys")  # the one of the new network namespace
    cgroups.mount_own(seen)
    _cover_run(state)
    for folder in _COVERED:
        _cover(folder)
    for folder in _KEPT:
        _keep(folder)
    _show_sysctls()
    _name(name, address)
    _mount("--make-rshared", "/")  # the kubelet hands mounts on to containers


def _cover_run(state: Path) -> None:
    """Put an empty `/run` in place with the state folder in it, even if that was below the old one."""
    handle = os.open(state, os.O_PATH | os.O_DIRECTORY)
    try:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        INSIDE.mkdir()
        _mount("--no-canonicalize", "--bind", f"/proc/self/fd/{handle}", INSIDE, handles=(handle,))
    finally:
        os.close(handle)
    Path("/run/lock").mkdir()


def _cover(folder: str) -> None:
    if not Path(folder).is_dir():
        return
    layer = Path("/run/layers") / folder.replace("/", "-")
    upper, work = layer / "upper", layer / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    _mount("-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", "overlay", folder)


def _keep(folder: str) -> None:
    own = INSIDE / Path(folder).name
    own.mkdir(exist_ok=True)
    Path(folder).mkdir(parents=True, exist_ok=True)
    _mount("--bind", own, folder)


def _show_sysctls() -> None:
    for name, value in _SHOWN.items():
        real = Path("/proc/sys") / name
        if real.exists():
            shown = Path("/run/sysctls") / name
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.write_text(f"{value}\n")
            _mount("--bind", shown, real)


def _name(name: str, address: str) -> None:
    """Let the node's name be known to itself, and no name beyond the cluster."""
    socket.sethostname(name)
    _replace("/etc/hosts", f"127.0.0.1 localhost\n{address} {name}\n")
    _replace("/etc/resolv.conf", "options attempts:1\n")
    _replace("/etc/hostname", f"{name}\n")


def _replace(file: str, text: str) -> None:
    real = Path(os.path.realpath(file))
    if real.is_relative_to("/run"):  # a link into what is covered now
        real.parent.mkdir(parents=True, exist_ok=True)
        real.touch()
    if real.exists():
        own = Path("/run/etc") / Path(file).name
        own.parent.mkdir(exist_ok=True)
        own.write_text(text)
        _mount("--bind", own, real)


def _mount(*arguments: str | Path, handles: tuple[int, ...] = ()) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, pass_fds=handles)
