"""containerd, with folders and a socket of its own, and the network plugins that it calls for each pod.

Pods are joined by routes, not by a bridge (the `ptp` plugin): what one pod sends to another then always passes the
node's own rules, so that Services and network policies hold also between neighbours.
"""

import json
from pathlib import Path

from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.node import pause
from local.kubernetes.node.layout import INSIDE, PODS
from local.kubernetes.node.preflight import CNI

NAME = "containerd"
SANDBOX_IMAGE = "sandbox image"  # a milestone: nothing can run before it is there
SOCKET = Path("/run/containerd/containerd.sock")
_CONFIG = INSIDE / "containerd.toml"
_NETWORKS = INSIDE / "cni"

# restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox could be started otherwise.
# disable_apparmor: the profiles of the host's own container engine are not ours to load.
_TEXT = """version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing", "io.containerd.internal.v1.restart",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
discard_unpacked_layers = true
"""


def containerd() -> Daemon:
    """Describe containerd."""
    text = _TEXT.format(socket=SOCKET, pause=pause.reference(), plugins=CNI, networks=_NETWORKS)
    files = {_CONFIG: text, _NETWORKS / "10-pods.conflist": json.dumps(_network())}
    return Daemon(NAME, (NAME, "--config", str(_CONFIG), "--log-level", "warn"), Probe(f"unix://{SOCKET}"), files=files)


def _network() -> dict[str, object]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
