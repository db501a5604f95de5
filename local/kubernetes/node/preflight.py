"""What a host must have before a node can run on it, all that is missing named at once."""

import os
import shutil
import sys
from pathlib import Path

from local.errors import ToolMissingError

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


def check() -> None:
    """Raise ToolMissingError with the one line that brings all that is missing, or says that root is needed."""
    if sys.platform != "linux":
        raise ToolMissingError("a node runs on Linux only; elsewhere, use Docker and kind")
    if os.geteuid() != 0:
        raise ToolMissingError("a node needs root, for namespaces and cgroups of its own; or use Docker and kind")
    absent = {name: package for name, package in _PACKAGES.items() if shutil.which(name) is None}
    absent |= {plugin: "containernetworking-plugins" for plugin in _PLUGINS if not (CNI / plugin).exists()}
    if absent:
        packages = " ".join(sorted(set(absent.values())))
        raise ToolMissingError(f"missing on this host: {', '.join(absent)}. To get them: apt-get install -y {packages}")
