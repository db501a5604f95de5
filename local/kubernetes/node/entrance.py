"""`python -m local.kubernetes.node.entrance CGROUP FOLDER`: becomes `unshare` in the node's cgroup, and so its keeper.

The cgroup is joined before the namespace of it is made, since that makes the folder the root of what the node sees.
"""

import os
import sys

from local.kubernetes.node import cgroups

_NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--mount-proc")
# --kill-child: when the keeper dies, the first process inside gets a SIGKILL, and the kernel ends all the others.
# slave: what the host unmounts is not kept mounted by the node.
_TIES = ("--kill-child", "--propagation=slave")


def main(cgroup: str, folder: str) -> None:
    """Leave whoever started this, say the keeper's process id, join the cgroup and go on as `unshare`."""
    if os.fork():
        return
    os.write(sys.stdout.fileno(), f"{os.getpid()}\n".encode())
    cgroups.join(cgroup)
    inside = [sys.executable, "-m", "local.kubernetes.node.init", folder]
    os.execvp("unshare", ["unshare", *_NAMESPACES, *_TIES, *inside])  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
