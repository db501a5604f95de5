"""Where the node keeps its things on the host, how the kernel's objects of it are named, and its addresses inside.

All of it follows from the state folder, so two nodes with two folders do not meet. Inside the node's mount namespace
the folder is at INSIDE, because the path that it has on the host may be covered there.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from local.cache import cache_directory
from local.kubernetes.certificates import write_private
from local.service_process import CHECKOUT

INSIDE = Path("/run/ecommerce-node")
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
DNS = "10.96.0.10"
API_PORT = 6443
HERE, CONNECTED = b"here\n", b"connected\n"  # what the first process tells its starter, and is told when the link is up


def state_directory() -> Path:
    """Answer `$ECOMMERCE_STATE`, else `.data/cluster` in the checkout."""
    chosen = os.environ.get("ECOMMERCE_STATE")
    return Path(chosen).absolute() if chosen else CHECKOUT / ".data/cluster"


@dataclass(frozen=True)
class Layout:
    """The state folder, as the host sees it or as the node does."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of the node's cgroup and of the host's end of its link (at most 15 characters)."""
        return f"ecom-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"

    @property
    def lock(self) -> Path:
        """The file that the node's first process holds locked for as long as it lives."""
        return self.folder / "running.lock"

    @property
    def starting(self) -> Path:
        """The file that a command holds locked while it starts or ends the node."""
        return cache_directory() / f"{self.name}.lock"

    @property
    def record(self) -> Path:
        """The file that describes the running node."""
        return self.folder / "node.json"

    @property
    def socket(self) -> Path:
        """Where the supervisor is spoken to."""
        return self.folder / "control.sock"

    @property
    def logs(self) -> Path:
        """The daemons' output, and the node's own."""
        return self.folder / "logs"

    @property
    def control_plane(self) -> Path:
        """The data of etcd, and all certificates."""
        return self.folder / "control-plane"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig file of a user who may do everything; it works on the host and in the node."""
        return self.control_plane / "credentials/admin.kubeconfig"


@dataclass(frozen=True)
class Record:
    """A started node: two processes as the host numbers them, and the addresses of the link's two ends.

    `keeper` is `unshare`, whose end ends everything; `init` is the first process inside.
    """

    keeper: int
    init: int
    host: str
    address: str

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Record | None":
        """Answer what the file says, or None where there is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
