"""Ports on loopback: which are free, and who has one that is not.

Free ports are chosen outside the kernel's range for outgoing connections. Inside it, a client that keeps dialling a
stopped server can be given the server's own port, connect to itself, and keep the server from coming back.
"""

import random
import socket
from collections.abc import Iterable
from pathlib import Path

from local.errors import PortTakenError

_LOWEST = 10_000  # below it are the ports people know by heart
_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def is_free(port: int) -> bool:
    """Tell whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, so that TIME_WAIT does not count
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Answer a free port for each name, all different."""
    wanted = list(names)
    candidates = random.sample(range(_LOWEST, _first_outgoing()), k=20 * len(wanted))
    free = (port for port in candidates if is_free(port))
    return dict(zip(wanted, free, strict=False))


def _first_outgoing() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def require_free(owner: str, port: int) -> None:
    """Raise PortTakenError, naming the process that listens there where it can be known."""
    if not is_free(port):
        who = holder(port) or "a process that cannot be seen from here"
        raise PortTakenError(f"{owner} cannot listen on 127.0.0.1:{port}: it is taken by {who}")


def holder(port: int) -> str | None:
    """Answer the process that listens on a port as `pid 42 (its command line)`, or None where it cannot be seen."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has_open(process, inodes):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            return f"pid {process.name} ({command[:120]})"
    return None


def _listening_inodes(port: int) -> Iterable[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield inode


def _has_open(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir())
    except OSError:  # another user's process, or one that has just ended
        return False
