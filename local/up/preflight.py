"""What the host must have, looked at before anything is made: all that is missing is named at once, with its source."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from local.cache import cache_directory
from local.errors import ToolMissingError
from local.tools import zstd_library
from local.up.clusters import Cluster, Given, HostNode, Kind, docker_works
from local.up.programs import OLDEST, fits

_CNI = Path("/usr/lib/cni")
_PACKAGES = {  # program → Debian package, for the node and the images on a host without Docker
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
    "sysctl": "procps",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mvn": "maven",
    "java": "openjdk-17-jre-headless",
}
_ELSEWHERE = {
    "docker": "https://docs.docker.com/engine/install/",
    "kind": "https://kind.sigs.k8s.io/ (go install sigs.k8s.io/kind@latest)",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
    "go": "https://go.dev/doc/install (1.21 or newer; it fetches a newer one by itself)",
}


def check(cluster: Cluster, registry: str) -> None:
    """Raise one ToolMissingError that names everything missing for this cluster, each with how to get it."""
    lacking = list(_lacking(cluster, registry))
    if lacking:
        raise ToolMissingError(
            "\n".join(["make up cannot start; this host lacks:", *(f"  {each}" for each in lacking)])
        )


def _lacking(cluster: Cluster, registry: str) -> Iterator[str]:
    match cluster:
        case Given():
            if not registry:
                yield "REGISTRY=…: what images are pushed to and the cluster pulls from, as registry.example.com/shop"
            if not (docker_works() or shutil.which("podman") or shutil.which("buildah")):
                yield "docker, podman or buildah, to build the images: apt-get install buildah"
            yield from _clients()
        case Kind():
            yield from _clients()
        case HostNode():
            yield from _for_node()


def _clients() -> Iterator[str]:
    for name in ("kubectl", "helm"):
        own = shutil.which(name)
        if not (own and fits(name, own)) and not _can_build():
            oldest = ".".join(map(str, OLDEST[name]))
            yield f"{name} {oldest} or newer: {_ELSEWHERE[name]}; or go, by which it is built here: {_ELSEWHERE['go']}"


def _can_build() -> bool:
    """Tell whether upstream's programs can be built, or have been."""
    return shutil.which("go") is not None or any(cache_directory().glob("kubernetes-node-*/"))


def _for_node() -> Iterator[str]:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        yield f"Linux on x86-64, or a working Docker with kind: {_ELSEWHERE['docker']}, {_ELSEWHERE['kind']}"
        return
    if os.geteuid() != 0:
        yield f"root (for containerd and network namespaces), or a working Docker with kind: {_ELSEWHERE['kind']}"
    packages = {package for program, package in _PACKAGES.items() if shutil.which(program) is None}
    if not all((_CNI / plugin).exists() for plugin in ("ptp", "host-local", "portmap", "loopback")):
        packages.add("containernetworking-plugins")
    if not _has_zstd():
        packages.add("libzstd1")
    if packages:
        yield f"apt-get install {' '.join(sorted(packages))}"
    if not _can_build():
        yield f"go: {_ELSEWHERE['go']}"
    if shutil.which("apt-get") is None:
        yield f"apt-get (a base image without a registry is made of Debian's packages), or kind: {_ELSEWHERE['kind']}"


def _has_zstd() -> bool:
    try:
        zstd_library()
    except ToolMissingError:
        return False
    return True
