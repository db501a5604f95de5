"""What a host must have before a node can run on it, all that is missing named at once."""

import os
import shutil
import sys
from pathlib import Path

from local.errors import ToolMissingError
from local.kubernetes.node import cgroups

CNI = Path("/usr/lib/cni")
_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "sysctl": "procps",
}
_PLUGINS = ("ptp", "host-local", "portmap", "loopback")


def check(folder: Path) -> None:
    """Raise ToolMissingError with all that is missing for a node in `folder`, and the one line that brings it."""
    if sys.platform != "linux":
        raise ToolMissingError("a node runs on Linux only; elsewhere, use Docker and kind")
    if os.geteuid() != 0:
        raise ToolMissingError("a node needs root, for namespaces and cgroups of its own; or use Docker and kind")
    absent = {name: package for name, package in _PACKAGES.items() if shutil.which(name) is None}
    absent |= {plugin: "containernetworking-plugins" for plugin in _PLUGINS if not (CNI / plugin).exists()}
    if absent:
        packages = " ".join(sorted(set(absent.values())))
        raise ToolMissingError(f"missing on this host: {', '.join(absent)}. To get them: apt-get install -y {packages}")
    if not cgroups.hierarchies():
        raise ToolMissingError("no cgroups are mounted on this host below /sys/fs/cgroup")
    if file_system(folder) == "overlay":
        raise ToolMissingError(
            f"{folder} is on an overlay, which carries no image layers; set ECOMMERCE_STATE to a disk"
        )


def file_system(path: Path) -> str:
    """Answer the kind of file system that a path is on, or will be."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        found[Path(fields.split()[4])] = rest.split()[0]  # of those mounted on one another, the last is seen
    return next(found[each] for each in (path, *path.parents) if each in found)
